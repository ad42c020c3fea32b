"""Speed of training: one step, and seconds to an accuracy, beside DeepXDE and PINA."""

// Python's door to the C core: checks arrays, releases the GIL, calls. No numerics here.
#include "arrays.h"
#include "assimilation.h"
#include "engine.h"
#include "peak.h"
#include "training.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

// (outside, bad_row): what the Python class reports. Short calls keep the GIL: releasing it costs
// more than they do.
template <class Call> static std::pair<std::uint64_t, std::int64_t> guarded(std::size_t n, Call call) {
    Seen seen;
    if (n >= 64) {
        nb::gil_scoped_release released;
        seen = call();
    } else {
        seen = call();
    }
    return {seen.outside, seen.bad_row};
}

template <class Real>
static std::pair<std::uint64_t, std::int64_t> eval(Engine &engine, Rows<Real> x, OutRows<Real> y, std::size_t threads) {
    require(x.shape(1) == kd_input_count(&engine.model()), "x has the wrong number of columns");
    require(y.shape(0) == x.shape(0) && y.shape(1) == kd_output_count(&engine.model()), "y has the wrong shape");
    return guarded(x.shape(0), [&] { return engine.eval(x.data(), x.shape(0), y.data(), threads); });
}

template <class Real>
static std::pair<std::uint64_t, std::int64_t> jet(Engine &engine, Rows<Real> x, bool first, const Pairs &pairs,
                                                  OutJets<Real> out, std::size_t threads) {
    const std::uint32_t inputs = kd_input_count(&engine.model());
    const kd_channels channels = make_channels(first, pairs, inputs);
    require(x.shape(1) == inputs, "x has the wrong number of columns");
    require(out.shape(0) == 1 + (first ? inputs : 0) + channels.pairs && out.shape(1) == x.shape(0) &&
                out.shape(2) == kd_output_count(&engine.model()),
            "the jet array has the wrong shape");
    return guarded(x.shape(0), [&] { return engine.jet(channels, x.data(), x.shape(0), out.data(), threads); });
}

static void residual(Engine &engine, Rows<double> x, Jets jets, nb::object data, OutRows<double> out) {
    const kd_model *model = &engine.model();
    kd_channels channels;
    kd_equation_channels(model, &channels);
    const std::size_t n = x.shape(0), columns = kd_data_count(model);
    const double *table = nullptr;
    Rows<double> held;
    if (columns > 0) {
        held = nb::cast<Rows<double>>(data);
        require(held.shape(0) == n && held.shape(1) == columns, "the source terms have the wrong shape");
        table = held.data();
    }
    require(x.shape(1) == kd_input_count(model) && out.shape(0) == n && out.shape(1) == kd_equation_count(model) &&
                jets.shape(0) == 1 + kd_input_count(model) + channels.pairs && jets.shape(1) == n &&
                jets.shape(2) == kd_output_count(model),
            "the arrays of the residual do not fit together");
    check(kd_residual(model, n, x.data(), jets.data(), table, out.data()));
}

// The core's own replay of the baseline: {name: (measured, limit, passed) or None}, and the verdict.
static nb::dict selftest(Engine &engine, bool single) {
    const kd_plan *const plan = engine.plan(single ? KD_F32 : KD_F64);
    const Aligned workspace = allocate(kd_selftest_size(plan, &engine.model()));
    kd_selftest_result result;
    {
        nb::gil_scoped_release released;
        check(kd_selftest(plan, &engine.model(), workspace.get(), &result));
    }
    const auto told = [](const kd_check &c) -> nb::object {
        if (!c.carried) return nb::none();
        return nb::make_tuple(c.measured, c.limit, c.passed != 0);
    };
    nb::dict out;
    out["passed"] = result.passed != 0;
    out["points"] = result.points;
    out["equation"] = result.equation;
    out["expected"] = told(result.expected);
    out["reference"] = told(result.reference);
    out["teacher"] = told(result.teacher);
    out["residual"] = told(result.residual);
    return out;
}

// The quick way through a call: x is a numpy array (n, inputs) of floats or doubles as the core reads
// them, every point is inside the domain. The new array of outputs, or None where anything is
// otherwise: the Python class then converts, reports, or names what is wrong. Numpy's own interface,
// because for a single point two buffers and a call of numpy.empty take longer than the network.
template <class Real> static nb::object quick_call_of(Engine &engine, PyArrayObject *in, int type) {
    npy_intp shape[] = {PyArray_DIM(in, 0), static_cast<npy_intp>(kd_output_count(&engine.model()))};
    nb::object out = nb::steal(PyArray_SimpleNew(2, shape, type));
    if (!out.is_valid()) throw nb::python_error();
    const auto n = static_cast<std::size_t>(shape[0]);
    const Real *const x = static_cast<const Real *>(PyArray_DATA(in));
    Real *const y = static_cast<Real *>(PyArray_DATA(reinterpret_cast<PyArrayObject *>(out.ptr())));
    const auto seen = guarded(n, [&] { return engine.eval(x, n, y, 1); });
    return seen.first == 0 && seen.second < 0 ? out : nb::none();
}

static nb::object quick_call(Engine &engine, nb::handle x) {
    if (!PyArray_CheckExact(x.ptr())) return nb::none();
    PyArrayObject *const in = reinterpret_cast<PyArrayObject *>(x.ptr());
    if (!PyArray_ISCARRAY_RO(in) || PyArray_NDIM(in) != 2 || PyArray_DIM(in, 1) != kd_input_count(&engine.model()))
        return nb::none();
    if (PyArray_TYPE(in) == NPY_FLOAT) return quick_call_of<float>(engine, in, NPY_FLOAT);
    if (PyArray_TYPE(in) == NPY_DOUBLE) return quick_call_of<double>(engine, in, NPY_DOUBLE);
    return nb::none();
}

// One point set and one output array, checked once; every call is then a plain C call. `report` is
// called with (points outside, first bad row or -1) where a call saw any.
class Bound {
  public:
    template <class Real>
    static Bound values(Engine &engine, Rows<Real> x, OutRows<Real> y, nb::callable report) {
        require(y.shape(0) == x.shape(0) && y.shape(1) == kd_output_count(&engine.model()), "out has the wrong shape");
        return make<Real>(engine, x, KD_VALUES, y.data(), std::move(report));
    }

    template <class Real>
    static Bound jets(Engine &engine, Rows<Real> x, const Pairs &pairs, OutJets<Real> y, nb::callable report) {
        const std::uint32_t inputs = kd_input_count(&engine.model());
        const kd_channels channels = make_channels(1, pairs, inputs);
        require(y.shape(0) == 1 + inputs + channels.pairs && y.shape(1) == x.shape(0) &&
                    y.shape(2) == kd_output_count(&engine.model()),
                "the jet array has the wrong shape");
        return make<Real>(engine, x, channels, y.data(), std::move(report));
    }

    void step() {
        if (busy_->test_and_set(std::memory_order_acquire))
            throw std::runtime_error("this bound call is already running in another thread: bind once per thread");
        kd_report report = {0, 0};
        kd_status status;
        if (n_ >= 64) {
            nb::gil_scoped_release released;
            status = run(&report);
        } else {
            status = run(&report);
        }
        busy_->clear(std::memory_order_release);
        if (status == KD_OK && report.outside == 0) return;
        if (status != KD_OK && status != KD_NOT_FINITE) throw Refused(status);
        report_(report.outside, status == KD_OK ? std::int64_t{-1} : static_cast<std::int64_t>(report.row));
    }

  private:
    template <class Real>
    static Bound make(Engine &engine, Rows<Real> x, const kd_channels &channels, Real *y, nb::callable report) {
        require(x.shape(1) == kd_input_count(&engine.model()), "x has the wrong number of columns");
        Bound bound;
        bound.plan_ = engine.plan(Calls<Real>::precision);
        bound.channels_ = channels;
        bound.n_ = x.shape(0);
        bound.x_ = x.data();
        bound.y_ = y;
        bound.single_ = std::is_same_v<Real, float>;
        bound.workspace_ = allocate(kd_workspace_size(bound.plan_, &channels));
        bound.busy_ = std::make_unique<std::atomic_flag>();
        bound.report_ = std::move(report);
        return bound;
    }

    kd_status run(kd_report *report) {
        if (single_)
            return kd_jet(plan_, &channels_, n_, static_cast<const float *>(x_), static_cast<float *>(y_),
                          workspace_.get(), report);
        return kd_jet_f64(plan_, &channels_, n_, static_cast<const double *>(x_), static_cast<double *>(y_),
                          workspace_.get(), report);
    }

    const kd_plan *plan_ = nullptr;
    kd_channels channels_ = {};
    std::size_t n_ = 0;
    const void *x_ = nullptr;
    void *y_ = nullptr;
    bool single_ = true;
    Aligned workspace_;
    std::unique_ptr<std::atomic_flag> busy_;
    nb::callable report_;
};

NB_MODULE(_core, m) {
    if (PyArray_ImportNumPyAPI() < 0) throw nb::python_error();
    m.def("version", [] { return std::string(kd_version()); });
    m.def("isas", [] {
        std::vector<std::string> names;
        for (std::size_t k = 0; const char *name = kd_isa_name(k); ++k) names.emplace_back(name);
        return names;
    }, "Instruction sets that this processor can run, best first.");
    m.def("fma_burst", [](const std::string &isa, const std::string &precision, std::size_t steps) {
        bool runs_here = false;
        for (std::size_t k = 0; const char *name = kd_isa_name(k); ++k) runs_here = runs_here || isa == name;
        require(runs_here, kd_status_text(KD_ISA));
        nb::gil_scoped_release released;
        return peak::burst(isa.c_str(), precision.c_str(), steps);
    }, "isa"_a, "precision"_a, "steps"_a, "Nothing but multiply-adds; how many operations these were.");
    m.def("check", [](nb::bytes file) -> std::optional<std::string> {
        Aligned copy = allocate(file.size());
        std::memcpy(copy.get(), file.data(), file.size());
        kd_model model;
        const kd_status status = kd_load(&model, copy.get(), file.size());
        if (status == KD_OK) return std::nullopt;
        return std::string(kd_status_name(status));
    }, "file"_a, "None if the core accepts the file, else the name of its refusal.");

    nb::class_<Engine>(m, "Engine")
        .def("__init__", [](Engine *self, nb::bytes file, Isa isa) {
            new (self) Engine(file.data(), file.size(), std::move(isa));
        }, "file"_a, "isa"_a = nb::none())
        .def_prop_ro("isa", [](Engine &e) { return std::string(kd_plan_isa(e.plan(KD_F32))); })
        .def_prop_ro("parameters", [](Engine &e) { return kd_parameter_count(&e.model()); })
        .def("call", &quick_call, "x"_a.none())
        .def("eval", &eval<float>, "x"_a.noconvert(), "out"_a.noconvert(), "threads"_a = 1)
        .def("eval", &eval<double>, "x"_a.noconvert(), "out"_a.noconvert(), "threads"_a = 1)
        .def("jet", &jet<float>, "x"_a.noconvert(), "first"_a, "pairs"_a, "out"_a.noconvert(), "threads"_a = 1)
        .def("jet", &jet<double>, "x"_a.noconvert(), "first"_a, "pairs"_a, "out"_a.noconvert(), "threads"_a = 1)
        .def("residual", &residual, "x"_a.noconvert(), "jets"_a.noconvert(), "data"_a.none(), "out"_a.noconvert())
        .def("selftest", &selftest, "single"_a)
        .def("bind", &Bound::values<float>, "x"_a.noconvert(), "out"_a.noconvert(), "report"_a,
             nb::keep_alive<0, 1>(), nb::keep_alive<0, 2>(), nb::keep_alive<0, 3>())
        .def("bind", &Bound::values<double>, "x"_a.noconvert(), "out"_a.noconvert(), "report"_a,
             nb::keep_alive<0, 1>(), nb::keep_alive<0, 2>(), nb::keep_alive<0, 3>())
        .def("bind_jet", &Bound::jets<float>, "x"_a.noconvert(), "pairs"_a, "out"_a.noconvert(), "report"_a,
             nb::keep_alive<0, 1>(), nb::keep_alive<0, 2>(), nb::keep_alive<0, 4>())
        .def("bind_jet", &Bound::jets<double>, "x"_a.noconvert(), "pairs"_a, "out"_a.noconvert(), "report"_a,
             nb::keep_alive<0, 1>(), nb::keep_alive<0, 2>(), nb::keep_alive<0, 4>());
    nb::class_<Bound>(m, "Bound").def("step", &Bound::step);

    nb::class_<Assimilation>(m, "Assimilation")
        .def(nb::init<Engine &, bool, const std::vector<std::uint32_t> &>(), "engine"_a, "single"_a, "unknown"_a,
             nb::keep_alive<1, 2>())
        .def_prop_ro("logarithmic", &Assimilation::logarithmic)
        .def_prop_ro("model_error", &Assimilation::model_error)
        .def_prop_ro("mean", &Assimilation::mean)
        .def_prop_ro("covariance", &Assimilation::covariance)
        .def("set", &Assimilation::set, "logarithmic"_a, "drift"_a, "noise"_a, "model_error"_a, "loss"_a, "outlier"_a)
        .def("set_estimate", &Assimilation::set_estimate, "mean"_a, "covariance"_a.noconvert())
        .def("update", &Assimilation::update, "x"_a.noconvert(), "y"_a.noconvert(), "noise"_a.noconvert().none(),
             "reading"_a.noconvert(), "residual"_a.noconvert())
        .def("drift", &Assimilation::drift, "duration"_a)
        .def("value", &Assimilation::value, "k"_a, "deviations"_a)
        .def("state", &Assimilation::state, "x"_a.noconvert(), "value"_a.noconvert(), "deviation"_a.noconvert(),
             "gradient"_a.noconvert());

    nb::class_<Trainee>(m, "Trainee")
        .def(nb::init<Widths, std::uint32_t, Vector, Points, std::optional<Vector>, const Pairs &, int, const Isa &>(),
             "sizes"_a, "activation"_a, "theta"_a.noconvert(), "x"_a.noconvert(), "scale"_a.noconvert().none(), "pairs"_a,
             "order"_a, "isa"_a = nb::none())
        .def("jets", &Trainee::jets, "out"_a.noconvert(), "threads"_a)
        .def("vjp", &Trainee::vjp, "seed"_a.noconvert(), "gradient"_a.noconvert(), "threads"_a)
        .def("jacobian", &Trainee::jacobian, "seed"_a.noconvert(), "out"_a.noconvert(), "threads"_a);
    nb::class_<Squares>(m, "Squares")
        .def(nb::init<>())
        .def("add", &Squares::add, "trainee"_a, "products"_a, "equations"_a, "columns"_a.noconvert(), "scalars"_a)
        .def("evaluate", &Squares::evaluate, "theta"_a.noconvert(), "scalars"_a.noconvert(), "gradient"_a.noconvert(),
             "by_scalar"_a.noconvert(), "threads"_a);
}

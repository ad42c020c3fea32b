// Run by node after core.js: the known answers' points through the page's own module, float32, to stdout.

async function replay() {
  const read = (await import("node:fs")).readFileSync;
  const { page, quantities, points } = JSON.parse(read(0, "utf8"));
  const content = JSON.parse(/<script type="application\/json" id="content">(.*?)<\/script>/s.exec(page)[1]);
  const core = await Core.open(await unzipped(bytesOf(content.core)), bytesOf(content.model), content.facts);
  const selftests = [core.selftest(32), core.selftest(64)];
  const answers = quantities.map((q) => Array.from(core.sample(q, Float32Array.from(points.flat()))));
  process.stdout.write(JSON.stringify({ isa: core.isa, selftests, answers }));
}

replay().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});

// Opens the pages that the built program makes from shipped evidence, as an auditor would, and checks what cannot
// be seen in their bytes: that nothing is fetched or complained about, that they are accessible, can be read with a
// keyboard, on paper and without scripts. Usage: node check.mjs PROGRAM MODULES CHROMIUM OUT

import { spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [program, modules, chromiumPath, out] = process.argv.slice(2);
if (!out) throw new Error("usage: node check.mjs PROGRAM MODULES CHROMIUM OUT");
const require = createRequire(join(resolve(modules), "package.json"));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const evidence = join(dirname(fileURLToPath(import.meta.url)), "../../vectors/evidence");

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "work"), { recursive: true });

// --- pages

const CLOCK = ["--clock", "2026-01-31T00:00:00.000Z"];

function proofline(args, codes = [0]) {
  const ran = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (!codes.includes(ran.status)) {
    throw new Error(`proofline ${args.join(" ")} exited with ${ran.status}: ${ran.stderr}`);
  }
  return ran.stdout;
}

function ledger(name, ...files) {
  const dir = join(out, "work", name);
  const id = ["--ledger-id", "00112233445566778899aabbccddeeff", "--origin", "ledger.example/desk"];
  proofline(["init", dir, ...id, ...CLOCK]);
  for (const [file, blobs] of files) {
    const payloads = blobs ? ["--blobs", join(evidence, blobs)] : [];
    proofline(["commit", dir, join(evidence, file), ...payloads, ...CLOCK], [0, 1, 4]);
  }
  return dir;
}

// Turns a byte within the first record that names this text, whose frame then no longer verifies.
function tamper(dir, text) {
  const folder = join(dir, "log");
  for (const name of readdirSync(folder).filter((it) => it.endsWith(".seg"))) {
    const path = join(folder, name);
    const bytes = readFileSync(path);
    const at = bytes.indexOf(text);
    if (at < 0) continue;
    bytes[at] ^= 1;
    writeFileSync(path, bytes);
    return;
  }
  throw new Error(`no segment has ${text}`);
}

const AGENT = [["agent-work.jsonl", "payloads.jsonl"]];
const good = ledger("good", ...AGENT, ["agent-work-after-model-change.jsonl", "payloads-after-model-change.jsonl"]);
const bad = ledger("bad", ...AGENT);
tamper(bad, "mail/lists/returns-weekly");
const trouble = readdirSync(join(evidence, "trouble")).filter((name) => name.endsWith(".jsonl")).sort();
const hostile = ledger("hostile", ...trouble.filter((name) => name !== "empty.jsonl").map((name) => [`trouble/${name}`]));
// Spans that became no record stand in the trees of an import.
const imported = ledger("imported");
const otel = join(evidence, "..", "otel");
proofline(["import", "otlp", imported, join(otel, "desk.otlp.jsonl"), "--policy", join(otel, "desk.cedar"),
  "--map", join(otel, "desk-rules.json"), ...CLOCK]);

const pages = {
  good: [["html", good, "--all"], [0]],
  failing: [["html", bad, "--all"], [3]],
  hostile: [["html", hostile, "--all"], [0, 1]],
  trace: [["html", good, "--trace", "da950e42aef0bfe2197fd9b6b3c4838c"], [0]],
  imported: [["html", imported, "--all"], [0]],
  drift: [["html", good, "--drift", "da95", "31d9"], [1]],
  pairs: [["html", good, "--mode", "constrained", "--pairs", join(evidence, "pairs.jsonl")], [1]],
};
for (const [name, [args, codes]] of Object.entries(pages)) {
  proofline([...args, "--out", join(out, `${name}.html`)], codes);
}

// --- checks

const faults = [];
const expect = (holds, what) => {
  if (!holds) faults.push(what);
};

const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// A page of its own for each question, which hears all that the browser asks for and complains about.
async function open(address, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const asked = [];
  const said = [];
  page.on("request", (request) => {
    // The empty icon stands in the page itself.
    if (request.url() !== address && request.url() !== "data:,") asked.push(request.url());
  });
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`error: ${error.message}`));
  await page.goto(address);
  return { context, page, asked, said };
}

async function quiet(name, { asked, said }) {
  expect(asked.length === 0, `${name}: asks for ${asked.join(", ")}`);
  expect(said.length === 0, `${name}: says ${said.join("; ")}`);
}

const VIEWS = [
  ["laptop-light", { viewport: { width: 1280, height: 900 }, colorScheme: "light" }],
  ["laptop-dark", { viewport: { width: 1280, height: 900 }, colorScheme: "dark" }],
  ["phone-light", { viewport: { width: 390, height: 844 }, colorScheme: "light" }],
  ["phone-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }],
];

async function accessible(name, address) {
  for (const [view, options] of VIEWS) {
    const opened = await open(address, options);
    const { page } = opened;
    await page.screenshot({ path: join(out, `${name}-${view}.png`) });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(wide <= 0, `${name} ${view}: ${wide} pixels too wide`);
    // Everything that opens is open, and drawn although it is far below.
    await page.addStyleTag({ content: "main > section > article { content-visibility: visible !important; }" });
    await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
    await page.evaluate(axeSource);
    const found = await page.evaluate(async () => {
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
      // One of each kind of article is enough: they are made by the same code.
      const kept = new Set();
      document.querySelectorAll("main > section > article").forEach((one) => {
        const kind = `${one.className} ${one.parentElement.getAttribute("aria-labelledby")}`;
        if (kept.has(kind)) one.remove();
        kept.add(kind);
      });
      document.querySelectorAll("tbody tr:nth-child(n+9)").forEach((row) => row.remove());
      const result = await window.axe.run(document, { runOnly: { type: "tag", values: tags } });
      return result.violations.map((it) => `${it.id} (${it.nodes.length}): ${it.nodes[0].html} ${it.nodes[0].failureSummary}`);
    });
    for (const violation of found) expect(false, `${name} ${view}: ${violation}`);
    await quiet(`${name} ${view}`, opened);
    await opened.context.close();
  }
}

// Tab alone reaches the skip link first, then each summary; Enter and Space open and close.
async function keyboard(name, address) {
  const { context, page } = await open(address);
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement.className);
  expect(first === "skip", `${name}: Tab reaches ${first} before the skip link`);
  await page.keyboard.press("Enter");
  const inMain = await page.evaluate(() => document.activeElement.id);
  expect(inMain === "main", `${name}: the skip link leads to ${inMain}`);
  if ((await page.locator("summary").count()) === 0) {
    await context.close();
    return;
  }
  let isReached = false;
  for (let presses = 0; presses < 400 && !isReached; presses += 1) {
    await page.keyboard.press("Tab");
    isReached = await page.evaluate(() => document.activeElement.tagName === "SUMMARY");
  }
  expect(isReached, `${name}: Tab reaches no summary`);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  expect(outline !== "none", `${name}: the focus cannot be seen`);
  const isOpen = () => page.evaluate(() => document.activeElement.parentElement.open);
  const before = await isOpen();
  await page.keyboard.press("Enter");
  expect((await isOpen()) !== before, `${name}: Enter does not toggle`);
  await page.keyboard.press("Space");
  expect((await isOpen()) === before, `${name}: Space does not toggle back`);
  await context.close();
}

// Without scripts all that is said is there, and a click still opens.
async function withoutScripts(name, address) {
  const opened = await open(address, { javaScriptEnabled: false });
  const { page, context } = opened;
  const text = await page.locator("main").textContent();
  const scripted = await open(address);
  const same = await scripted.page.evaluate(() => {
    document.querySelectorAll(".tools").forEach((one) => one.remove());
    return document.querySelector("main").textContent;
  });
  expect(text === same, `${name}: the text differs without scripts`);
  const summary = page.locator("main summary").first();
  if (await summary.count()) {
    const details = page.locator("main details").first();
    const before = (await details.getAttribute("open")) !== null;
    await summary.click();
    expect(((await details.getAttribute("open")) !== null) !== before, `${name}: a click opens nothing`);
  }
  await quiet(`${name} without scripts`, opened);
  await scripted.context.close();
  await context.close();
}

// Paper shows what is closed on the screen, with scripts and without.
async function printed(name, address) {
  for (const javaScriptEnabled of [true, false]) {
    const { context, page } = await open(address, { javaScriptEnabled });
    const suffix = javaScriptEnabled ? "" : "-without-scripts";
    const path = join(out, `${name}${suffix}.pdf`);
    await page.pdf({ path, format: "A4" });
    expect(readFileSync(path).subarray(0, 5).toString() === "%PDF-", `${name}: no PDF`);
    await context.close();
  }
  const sizes = ["", "-without-scripts"].map((suffix) => statSync(join(out, `${name}${suffix}.pdf`)).size);
  const [most, least] = [Math.max(...sizes), Math.min(...sizes)];
  expect(least * 10 > most * 9, `${name}: the PDFs with and without scripts have ${sizes.join(" and ")} bytes`);
}

// Over HTTP a browser would ask for an icon, too.
async function served(name) {
  const body = readFileSync(join(out, `${name}.html`));
  const paths = [];
  const server = createServer((request, response) => {
    paths.push(request.url);
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(body);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const opened = await open(`http://127.0.0.1:${server.address().port}/`);
  await opened.page.waitForLoadState("networkidle");
  expect(paths.join(" ") === "/", `${name}: the server was asked for ${paths.join(" ")}`);
  await quiet(`${name} over HTTP`, opened);
  await opened.context.close();
  server.close();
}

async function sorted(address) {
  const { context, page } = await open(address);
  const column = () => page.$$eval("table.sortable tbody tr", (rows) => rows.map((row) => Number(row.cells[1].textContent)));
  const rows = await column();
  await page.locator("table.sortable th button", { hasText: "Records" }).click();
  const ascending = await column();
  const wanted = [...rows].sort((one, other) => one - other);
  expect(rows.length > 2 && String(rows) !== String(wanted), "good: the table is no test of sorting");
  expect(String(ascending) === String(wanted), "good: the table is not sorted by records");
  const says = await page.locator("th[aria-sort=ascending]").textContent();
  expect(says === "Records", `good: ${says} says that it is sorted`);
  await context.close();
}

// A script of the evidence's own would show itself, and nothing of it is markup.
async function harmless(address) {
  const { context, page } = await open(address);
  const found = await page.evaluate(() => ({
    scripts: document.scripts.length,
    others: document.querySelectorAll("img,iframe,object,embed,form,base,audio,video,link:not([rel=icon])").length,
    handlers: [...document.querySelectorAll("*")].filter((one) => [...one.attributes].some((it) => it.name.startsWith("on"))).length,
  }));
  expect(found.scripts === 1 && found.others === 0 && found.handlers === 0, `hostile: ${JSON.stringify(found)}`);
  await context.close();
}

for (const name of Object.keys(pages)) {
  const address = pathToFileURL(resolve(out, `${name}.html`)).href;
  await accessible(name, address);
  await keyboard(name, address);
  await withoutScripts(name, address);
  await printed(name, address);
  await served(name);
}
await sorted(pathToFileURL(resolve(out, "good.html")).href);
await harmless(pathToFileURL(resolve(out, "hostile.html")).href);
await browser.close();
rmSync(join(out, "work"), { recursive: true });

if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
console.log(`${Object.keys(pages).length} pages, ${VIEWS.length} views each: quiet, accessible, printable; pictures in ${out}`);

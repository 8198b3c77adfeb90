// Makes table.csv from the data of genai-prices, an npm package:
//
//   npm pack @pydantic/genai-prices && tar xzf pydantic-genai-prices-*.tgz
//   node generate.cjs package > table.csv
//
// The data is one array inside the package's program, so it is cut out there.
const fs = require("fs"), path = require("path");
const dir = process.argv[2];
const version = JSON.parse(fs.readFileSync(path.join(dir, "package.json"), "utf8")).version;

// Who is asked directly, and the brokers that serve agents. Prices of others
// depend on contracts and regions.
const providers = ["anthropic", "cerebras", "deepseek", "fireworks", "google", "groq", "mistral", "moonshotai", "openai", "openrouter", "together", "x-ai", "zai"];

// What is paid by other things than tokens of text.
const otherThanText = /audio|realtime|tts|transcribe|image|embed|whisper|ocr|voxtral|voice|live|omni|moderation|search-preview|guard/;

function dataOf(program) {
  const start = program.indexOf("[{id:\"anthropic\"");
  let depth = 0, quote = "";
  for (let i = start; ; i++) {
    const c = program[i];
    if (quote) {
      if (c === "\\") i++;
      else if (c === quote) quote = "";
    } else if ("\"'`".includes(c)) quote = c;
    else if ("[{".includes(c)) depth++;
    else if ("]}".includes(c) && --depth === 0) return eval(program.slice(start, i + 1));
  }
}

// Names by which a model is known. Patterns become the plain name they begin
// with: what else they would match is a guess, and may be a dearer model.
function names(match) {
  if (match.or || match.and) return (match.or || match.and).flatMap(names);
  const name = match.equals || match.starts_with || match.contains || match.ends_with;
  return name ? [name.replace(/[-@]$/, "")] : [];
}

// An id without the date of its release, which a lookup leaves out, too.
const undated = (name) => name.replace(/[-@](20\d{6}|20\d\d-\d\d-\d\d)$/, "");

// A price in at most 8 decimals, and never with an exponent.
const decimal = (p) => (p === undefined ? "" : p.toFixed(8).replace(/\.?0+$/, ""));

// Rows of one set of prices: one, and another for each size of prompt above which all
// parts cost more.
function rows(prices, since) {
  const part = (name, above) => {
    const p = prices[name + "_mtok"];
    if (p === undefined || typeof p === "number") return p;
    return p.tiers.reduce((price, tier) => (above !== "" && tier.start <= above ? tier.price : price), p.base);
  };
  const sizes = new Set(Object.values(prices).flatMap((p) => (p.tiers || []).map((t) => t.start)));
  return ["", ...[...sizes].sort((a, b) => a - b)].map((above) =>
    [since, above, ...["input", "output", "cache_read", "cache_write", "cache_write_1h", "output_reasoning"].map((name) => decimal(part(name, above)))]);
}

const out = [];
for (const provider of dataOf(fs.readFileSync(path.join(dir, "dist/index.cjs"), "utf8")).filter((p) => providers.includes(p.id))) {
  const ids = new Set(provider.models.map((m) => m.id.toLowerCase())), taken = new Set();
  for (const m of provider.models) {
    const dated = Array.isArray(m.prices) ? m.prices : [{ prices: m.prices }];
    const unclear = dated.some(({ prices: p, constraint: c }) =>
      p.input_mtok === undefined || p.output_mtok === undefined || p.requests_kcount !== undefined || (c && c.type !== "start_date"));
    if (unclear || otherThanText.test(m.id) || (provider.id === "google" && m.id.startsWith("claude")) || (provider.id === "openai" && m.id.startsWith("gpt-oss"))) continue;
    const found = new Set(names(m.match));
    const plain = (n) => !ids.has(n.toLowerCase()) && !taken.has(n) && !/[ ,]|-20\d\d$|-0$/.test(n);
    const short = (n) => undated(n) === n || (undated(n) !== m.id && !found.has(undated(n)));
    const aliases = [...found].filter((n) => plain(n) && short(n));
    aliases.forEach((n) => taken.add(n));
    for (const { prices, constraint } of dated) {
      for (const row of rows(prices, constraint ? constraint.start_date : "")) out.push([provider.id, m.id, aliases.sort().join(" "), ...row]);
    }
  }
}
out.sort((a, b) => { for (const i of [0, 1, 3]) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1; return a[4] - b[4]; });

console.log("provider,id,aliases,since,above,input,output,cached_input,cache_write,cache_write_1h,reasoning,source");
for (const row of out) console.log([...row, "genai-prices " + version].join(","));

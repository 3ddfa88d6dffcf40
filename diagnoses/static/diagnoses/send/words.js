// What the page says. The template brings every sentence along, translated; {n} and the like stand for values.
const sentences = document.getElementById("send-words").dataset;
const language = document.documentElement.lang || "en";
const plurals = new Intl.PluralRules(language);
const shares = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
const numbers = new Intl.NumberFormat(language);
const tenths = new Intl.NumberFormat(language, { maximumFractionDigits: 1, minimumFractionDigits: 1 });

export function say(name, values = {}) {
  return sentences[name].replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

export function count(name, n, values = {}) {
  const form = plurals.select(n) === "one" && `${name}One` in sentences ? "One" : "Other";
  return say(name + form, { n: numbers.format(n), ...values });
}

export function percent(share) {
  return shares.format(share);
}

export function size(bytes) {
  if (bytes < 1e5) return `${numbers.format(Math.ceil(bytes / 1e3))} kB`;
  const megabytes = bytes / 1e6;
  return `${megabytes < 10 ? tenths.format(megabytes) : numbers.format(Math.round(megabytes))} MB`;
}

export function duration(seconds) {
  if (seconds < 10) return say("soon");
  if (seconds < 90) return count("seconds", Math.round(seconds / 10) * 10);
  return count("minutes", Math.round(seconds / 60));
}

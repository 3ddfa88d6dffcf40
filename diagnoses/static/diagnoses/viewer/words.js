// What the viewer says, in the words that its template gives it, with numbers as the page's language writes them.

const language = document.documentElement.lang || undefined;

/** The sentence under `data-word-name` of the viewer, its {gaps} filled. */
export function wordsOf(root) {
  return (name, gaps = {}) => {
    const words = root.dataset[`word${name[0].toUpperCase()}${name.slice(1)}`] ?? "";
    return words.replace(/\{(\w+)\}/g, (whole, gap) => gaps[gap] ?? whole);
  };
}

const numbers = [0, 1, 2, 3, 4].map(
  (digits) => new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);
const percents = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });

export function number(value, digits = 0) {
  return numbers[digits].format(value);
}

export function percent(share) {
  return percents.format(share);
}

/** How many digits after the point a value of this range is worth. */
export function digitsFor(range) {
  return range >= 20 ? 0 : Math.min(4, Math.ceil(2 - Math.log10(range)));
}

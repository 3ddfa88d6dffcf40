// What stands in the way, in words, until it no longer does.
import { count, say } from "./words.js";

const notice = document.getElementById("send-notice");
const problems = document.getElementById("send-problems");
const signIn = document.getElementById("send-sign-in");

export function showTrouble(reason, seconds = 0) {
  const words = reason && (seconds ? count(reason, Math.ceil(seconds)) : say(reason));
  const text = notice.querySelector("span");
  if (text.textContent !== words) text.textContent = words;
  signIn.hidden = reason !== "signedOut";
  notice.hidden = !words;
}

export function showProblems(lines) {
  problems.hidden = !lines.length;
  problems.replaceChildren(
    ...lines.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }),
  );
}

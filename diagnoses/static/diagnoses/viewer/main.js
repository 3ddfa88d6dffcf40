// Starts a viewer when its place comes near the screen, and lets go of it when it leaves the page. A picture takes tens
// of megabytes, so that of many on one page only the last few that were looked at keep theirs.

import { Viewer } from "./viewer.js";

const MOST_STARTED = 5;
const viewers = new Map();
const onScreen = new Set();

const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) show(target);
    else onScreen.delete(target);
  }
}, { rootMargin: "25% 0px" });

function show(root) {
  onScreen.add(root);
  const viewer = viewers.get(root);
  viewers.delete(root);
  // The map keeps the order in which they were looked at.
  viewers.set(root, viewer ?? started(root));
  const resting = [...viewers.keys()].filter((each) => !onScreen.has(each));
  for (const each of resting.slice(0, Math.max(0, viewers.size - MOST_STARTED))) stop(each);
}

function started(root) {
  const viewer = new Viewer(root);
  viewer.start();
  return viewer;
}

function stop(root) {
  viewers.get(root)?.stop();
  viewers.delete(root);
}

function watch(within) {
  for (const root of within.querySelectorAll("[data-viewer]")) near.observe(root);
}

function forget(within) {
  for (const root of within.matches("[data-viewer]") ? [within] : within.querySelectorAll("[data-viewer]")) {
    near.unobserve(root);
    onScreen.delete(root);
    stop(root);
  }
}

watch(document);
new MutationObserver((records) => {
  for (const { addedNodes, removedNodes } of records) {
    for (const node of removedNodes) if (node instanceof Element) forget(node);
    for (const node of addedNodes) if (node instanceof Element) watch(node.parentElement ?? node);
  }
}).observe(document.body, { childList: true, subtree: true });

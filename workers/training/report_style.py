"""How a report looks: one column, tables that scroll on a phone, the colours of the reader's own choice of page."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --page: #fff; --line: #d5dae1; --faint: #5b6573; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --page: #151b23; --line: #37414d; --faint: #a2acb9; }
}
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; }
td { font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
.note { color: var(--faint); font-size: .875rem; overflow-wrap: anywhere; }
.cards { display: flex; flex-wrap: wrap; gap: 1.5rem; }
figure { margin: 0; max-width: 100%; }
figure img { max-width: 100%; height: auto; }
figcaption { max-width: 30rem; }
@media print { :root { --ink: #000; --page: #fff; } }
"""

"""Style and script of the control page; inline, so the page loads nothing else."""

from __future__ import annotations

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; "
    "form-action 'self' http://127.0.0.1:* http://localhost:*; base-uri 'none'; "
    "frame-ancestors 'none'"
)

STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#566275;--line:#d5dbe3;
--accent:#1b5fb8;--on:#fff;--good:#17693a;--bad:#a8261c;--goodbg:#e4f3ea;--badbg:#fbe9e7}
@media (prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1b212a;--ink:#e7ebf1;--soft:#a3afbf;
--line:#364150;--accent:#86b7f7;--on:#10151c;--good:#7fd6a1;--bad:#ff9f94;--goodbg:#16301f;
--badbg:#3a1d1a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main,header{max-width:72rem;margin:0 auto;padding:1rem}
h1{font-size:1.25rem;margin:0}h2{font-size:1.05rem;margin:0 0 .75rem}
p{margin:.25rem 0}.soft{color:var(--soft);font-size:.9rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;
margin:0 0 1rem}
.banner{border-radius:.4rem;padding:.6rem .9rem;margin:0 0 .5rem}
.state{font-size:1.6rem;font-weight:650;margin:0}.good{background:var(--goodbg)}
.good .state{color:var(--good)}.bad{background:var(--badbg)}.bad .state{color:var(--bad)}
.row{display:flex;flex-wrap:wrap;gap:.6rem;align-items:end;margin:0 0 .75rem}.row form{margin:0}
label{display:block;font-size:.85rem;color:var(--soft)}
input,select,button{font:inherit;min-height:2.6rem;padding:.35rem .7rem;border-radius:.4rem;
border:1px solid var(--soft);background:var(--card);color:var(--ink);max-width:100%}
input[type=number]{width:8rem}
button{border-color:var(--accent);color:var(--accent);cursor:pointer}
button.main,button[aria-pressed=true]{background:var(--accent);color:var(--on)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:.85rem;padding-bottom:.3rem}
summary{cursor:pointer;padding:.4rem 0}a{color:var(--accent)}
.note{border-left:.3rem solid var(--accent);padding:.5rem .8rem;margin:0 0 1rem;
background:var(--card)}
.problem{border-color:var(--bad)}
@media (max-width:30rem){.row>div,.row button{width:100%}
.row>form{width:calc(50% - .3rem)}.row input,.row select{width:100%}}
"""

SCRIPT = """
const every = 2000;
async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, {cache: "no-store"});
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(old.id);
      if (!next || next.outerHTML === old.outerHTML) continue;
      const kept = old.contains(document.activeElement) ? document.activeElement.id : "";
      old.replaceWith(next);
      if (kept) document.getElementById(kept)?.focus();
    }
  } catch { /* the simulator is away for a moment; the next turn tries again */ }
}
setInterval(refresh, every);
"""

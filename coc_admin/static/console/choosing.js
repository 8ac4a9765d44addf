// Chosen rows of a list: the bar follows the ticks, and ticks are kept without pressing a button.
// Without this file the buttons of the bar do the same.
(function () {
  "use strict";
  var form = document.querySelector("form[data-choose]");
  var waiting = false;
  var again = false;

  function ticks() {
    return Array.prototype.slice.call(form.querySelectorAll("input[name=order]"));
  }

  function showAll() {
    var all = form.querySelector("[data-tick-all]");
    if (!all) return;
    var ticked = ticks().filter(function (one) { return one.checked; }).length;
    all.checked = ticked > 0 && ticked === ticks().length;
    all.indeterminate = ticked > 0 && !all.checked;
  }

  function replaceBar(html) {
    var fresh = new DOMParser().parseFromString(html, "text/html").getElementById("chosen");
    var bar = document.getElementById("chosen");
    if (!fresh || !bar) return;
    bar.dataset.chosen = fresh.dataset.chosen;
    bar.dataset.elsewhere = fresh.dataset.elsewhere;
    var others = bar.querySelector("[data-clear-elsewhere]");
    var fresher = fresh.querySelector("[data-clear-elsewhere]");
    if (others && fresher) {
      others.hidden = fresher.hidden;
      others.textContent = fresher.textContent;
    }
    var said = fresh.querySelector("[role=status]");
    bar.querySelector("[role=status]").replaceChildren.apply(
      bar.querySelector("[role=status]"), Array.prototype.slice.call(said.childNodes));
  }

  // The bar floats as soon as something is ticked; its figures follow with the answer.
  function float() {
    var bar = document.getElementById("chosen");
    var here = ticks().filter(function (one) { return one.checked; }).length;
    if (bar) bar.dataset.chosen = String(here + Number(bar.dataset.elsewhere || 0));
  }

  // One request at a time, or an older answer could win.
  function keep() {
    if (waiting) { again = true; return; }
    waiting = true;
    var body = new FormData(form);
    body.set("do", "keep");
    fetch(form.action, { method: "POST", body: body, headers: { "X-Choice": "1" }, keepalive: true })
      .then(function (answer) { return answer.ok ? answer.text() : ""; })
      .then(replaceBar)
      .catch(function () {})
      .finally(function () {
        waiting = false;
        if (again) { again = false; keep(); }
      });
  }

  function follow() {
    form = document.querySelector("form[data-choose]");
    if (!form) return;
    form.addEventListener("change", function (event) {
      if (event.target.matches("[data-tick-all]")) {
        ticks().forEach(function (one) { one.checked = event.target.checked; });
      } else if (!event.target.matches("input[name=order]")) {
        return;
      }
      showAll();
      float();
      keep();
    });
    showAll();
  }
  follow();
  // The desk shows its list anew after each decision.
  document.addEventListener("coc:list", follow);

  // From the rows to the bar without passing the rest of the list.
  document.addEventListener("keydown", function (event) {
    if (event.key !== "b" || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (!document.getElementById("shortcuts") || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]")) return;
    var act = document.querySelector('#chosen:not([data-chosen="0"]) .chosen-acts button');
    if (!act) return;
    event.preventDefault();
    act.focus();
  });

  // --- a remedy for many orders goes on by itself, a part at a time ---------------------------
  var rest = document.querySelector("form[data-carry-on]");
  if (rest) rest.requestSubmit();
})();

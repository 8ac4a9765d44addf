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
    var said = fresh.querySelector("[role=status]");
    bar.querySelector("[role=status]").replaceChildren.apply(
      bar.querySelector("[role=status]"), Array.prototype.slice.call(said.childNodes));
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
      keep();
    });
    showAll();
  }
  follow();
  // The desk shows its list anew after each decision.
  document.addEventListener("coc:list", follow);

  // --- a remedy for many orders goes on by itself, a part at a time ---------------------------
  var rest = document.querySelector("form[data-carry-on]");
  if (rest) rest.requestSubmit();
})();

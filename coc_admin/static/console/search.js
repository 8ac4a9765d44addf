// One search and command box: Ctrl-K or / opens it on every page, g and a letter go to a page.
// The answers are those of the search page, which works without this file.
(function () {
  "use strict";
  var dialog = document.getElementById("palette");
  if (!dialog) return;
  var field = dialog.querySelector("input");
  var results = document.getElementById("palette-results");
  var said = document.getElementById("palette-status");
  var keys = dialog.dataset.keys === "on";
  var timer = null;
  var asked = 0;
  var shown = null;
  var opensFirst = false;
  var waitsForPage = 0;

  function hits() {
    return Array.prototype.slice.call(results.querySelectorAll("[data-hit]"));
  }

  function open(text) {
    if (!dialog.open) dialog.showModal();
    if (text) field.value = text;
    field.focus();
    field.select();
    ask();
  }

  // Answers may overtake each other; only those to what the field holds now are shown.
  function ask() {
    clearTimeout(timer);
    var text = field.value.trim();
    var number = ++asked;
    fetch(dialog.dataset.url + "?q=" + encodeURIComponent(text), { headers: { "HX-Request": "true" } })
      .then(function (answer) {
        if (answer.status === 401) location.assign(answer.headers.get("HX-Redirect") || "/");
        if (!answer.ok) throw new Error(String(answer.status));
        return answer.text();
      })
      .then(function (html) { if (number === asked) show(html, text); })
      .catch(function () { if (number === asked) said.textContent = dialog.dataset.failed; });
  }

  function show(html, text) {
    var fresh = new DOMParser().parseFromString(html, "text/html");
    var told = fresh.querySelector("[data-hits-said]");
    results.replaceChildren.apply(results, Array.prototype.slice.call(fresh.body.childNodes));
    shown = text;
    said.textContent = told ? told.textContent.trim() : "";
    if (opensFirst) openFirst();
  }

  // Enter may come before the answer: it is kept until then.
  function openFirst() {
    opensFirst = false;
    var first = hits()[0];
    if (field.value.trim() && first) first.click();
    else field.form.submit();
  }

  function step(by) {
    var all = hits();
    if (!all.length) return;
    var at = all.indexOf(document.activeElement) + by;
    if (at < 0) field.focus();
    else all[Math.min(at, all.length - 1)].focus();
  }

  field.addEventListener("input", function () {
    opensFirst = false;
    clearTimeout(timer);
    timer = setTimeout(ask, 120);
  });
  // A field of one line drops the ends of lines, and many numbers would become one.
  field.addEventListener("paste", function (event) {
    var text = event.clipboardData.getData("text");
    if (!/[\r\n]/.test(text)) return;
    event.preventDefault();
    field.setRangeText(text.replace(/\s+/g, " ").trim(), field.selectionStart, field.selectionEnd, "end");
    ask();
  });
  field.form.addEventListener("submit", function (event) {
    event.preventDefault();
    if (shown === field.value.trim()) return openFirst();
    opensFirst = true;
    ask();
  });
  dialog.addEventListener("keydown", function (event) {
    if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    // A search field keeps the first Escape for itself, to clear its text.
    else if (event.key === "Escape") dialog.close();
    else if (event.key.length === 1 && event.target.matches("[data-hit]") && !event.ctrlKey && !event.metaKey && !event.altKey) {
      field.focus();
      return;
    } else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", function (event) {
    if (event.target === dialog) dialog.close();
  });

  function isTyping(element) {
    return Boolean(element.closest("input, select, textarea, [contenteditable]"));
  }

  document.addEventListener("keydown", function (event) {
    if (event.defaultPrevented || event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open("");
      return;
    }
    if (!keys || event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    // A page may have a use of its own for it.
    if (event.key === "/" && !document.querySelector('[data-key="/"]')) open("");
    else if (event.key === "g") { waitsForPage = Date.now() + 1500; return; }
    else if (Date.now() < waitsForPage) {
      var link = document.querySelector('.side a[data-go="' + CSS.escape(event.key) + '"]');
      waitsForPage = 0;
      if (!link) return;
      link.click();
      // The pages' own keys must not take this one as well.
      event.stopImmediatePropagation();
    } else return;
    event.preventDefault();
  }, true);

  // With a mouse the field at the top opens the same box.
  var top = document.getElementById("search");
  if (top) top.addEventListener("click", function () {
    open(top.value);
    top.value = "";
  });
})();

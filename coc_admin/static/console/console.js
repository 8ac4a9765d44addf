// What moves on a page: the live part, the menus, and buttons that must not be pressed twice.
// Without this file every page works; it is then as old as its last loading.
(function () {
  "use strict";

  // --- the tab: its title and icon follow the headline of the home page ----------------------
  var product = document.title.slice(document.title.lastIndexOf(" · "));
  var icon = document.querySelector("link[rel=icon]");
  var plainIcon = icon && icon.href;

  function showState() {
    var headline = document.querySelector("[data-tab]");
    if (!headline) return;
    if (headline.dataset.tab) document.title = headline.dataset.tab + product;
    var toned = icon && icon.dataset[headline.dataset.tone];
    if (icon && icon.href !== (toned || plainIcon)) icon.href = toned || plainIcon;
  }
  showState();

  // --- live part: asks again after each answer, never while the tab is hidden ---------------
  var live = document.getElementById("live");
  var timer = null;
  var failures = 0;

  function pause() {
    var said = document.querySelector("[data-live-seconds]");
    var seconds = Number(said && said.dataset.liveSeconds) || 15;
    return Math.min(seconds * Math.pow(2, failures), 60) * 1000;
  }

  function schedule() {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(ask, pause());
  }

  function note(failed) {
    failures = failed ? failures + 1 : 0;
    var sign = document.getElementById("stale");
    if (sign) sign.hidden = failures < 2;
  }

  function ask() {
    clearTimeout(timer);
    var now = document.querySelector("[data-live-now]");
    var url = now ? now.dataset.liveNow : live.dataset.liveUrl;
    htmx.ajax("GET", url, { source: live, target: live, swap: "innerMorph" });
  }

  // A page that says it has changed shows its new state, unless a person is filling something in.
  function isBeingUsed(part) {
    if (part.contains(document.activeElement)) return true;
    return Array.prototype.some.call(part.querySelectorAll("input, textarea, select"), function (field) {
      if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
      return field.tagName !== "SELECT" && field.value !== field.defaultValue;
    });
  }

  function refresh() {
    var part = document.getElementById("fresh");
    if (!part || !live.querySelector("[data-changed]") || isBeingUsed(part)) return;
    fetch(location.href, { headers: { "HX-Request": "true" } })
      .then(function (answer) { return answer.ok ? answer.text() : ""; })
      .then(function (html) {
        var fresh = html && new DOMParser().parseFromString(html, "text/html").getElementById("fresh");
        if (!fresh || isBeingUsed(part)) return;
        part.replaceChildren.apply(part, Array.prototype.slice.call(fresh.childNodes));
        htmx.process(part);
        live.querySelector("[data-changed]").remove();
        tick();
      })
      .catch(function () { note(true); });
  }

  if (live && window.htmx) {
    live.addEventListener("htmx:finally:request", function (event) {
      var ctx = event.detail.ctx;
      note(!ctx.response || ctx.response.status >= 400);
      showState();
      refresh();
      schedule();
    });
    document.addEventListener("visibilitychange", function () {
      if (document.hidden) clearTimeout(timer);
      else ask();
    });
    schedule();
  }

  // --- a choice that shows the page anew; without JavaScript it has a button ------------------
  document.querySelectorAll("select[data-submits]").forEach(function (select) {
    select.addEventListener("change", function () {
      select.form.requestSubmit();
    });
  });

  // --- navigation on narrow screens ---------------------------------------------------------
  var toggle = document.querySelector(".nav-toggle");
  var side = document.getElementById("navigation");
  if (toggle && side) {
    toggle.addEventListener("click", function () {
      var open = side.classList.toggle("open");
      toggle.setAttribute("aria-expanded", String(open));
    });
  }

  // --- menus close on Escape and on a click elsewhere ---------------------------------------
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  // --- a form that changes something is sent once; the server is safe against a second click -
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    form.querySelectorAll("button[type=submit]").forEach(function (button) {
      button.setAttribute("aria-disabled", "true");
    });
  });
  window.addEventListener("pageshow", function (event) {
    if (!event.persisted) return;
    document.querySelectorAll("form[data-sent]").forEach(function (form) {
      delete form.dataset.sent;
      form.querySelectorAll("button[aria-disabled]").forEach(function (button) {
        button.removeAttribute("aria-disabled");
      });
    });
  });

  // --- how long ago something was goes on counting; see format_ago for the same steps -----------
  var words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });

  function tick() {
    if (document.hidden) return;
    document.querySelectorAll("[data-ago]").forEach(function (element) {
      var time = element.matches("time") ? element : element.parentElement.previousElementSibling;
      var seconds = (Date.parse(time && time.dateTime) - Date.now()) / 1000;
      var past = Math.abs(seconds);
      if (!(past >= 5)) return; // it says "just now"
      var step = past < 60 ? [1, "second"] : past < 3600 ? [60, "minute"]
        : past < 48 * 3600 ? [3600, "hour"] : [86400, "day"];
      var text = words.format(Math.trunc(seconds / step[0]), step[1]);
      if (element.textContent !== text) element.textContent = text;
    });
  }
  setInterval(tick, 5000);

  // --- the browser's time zone is offered where one can be chosen -----------------------------
  var zone = document.querySelector("[data-zone-offer]");
  var zones = document.getElementById("time_zone");
  if (zone && zones) {
    var here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    var known = Array.prototype.some.call(zones.options, function (one) { return one.value === here; });
    if (known && zones.value !== here) {
      zone.querySelector("[data-zone-name]").textContent = here;
      zone.hidden = false;
      zone.addEventListener("click", function () {
        zones.value = here;
        zone.hidden = true;
        zones.focus();
      });
    }
  }

  // --- what is due soon counts down; without this the page shows what was left ----------------
  function countDown() {
    document.querySelectorAll("[data-until]").forEach(function (element) {
      var left = Math.max(0, Math.round((Date.parse(element.dataset.until) - Date.now()) / 1000));
      if (left >= 3600) return;
      element.textContent = left < 60 ? left + " s" : Math.floor(left / 60) + " min " + (left % 60) + " s";
    });
  }
  if (document.querySelector("[data-until]")) setInterval(countDown, 1000);
})();

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

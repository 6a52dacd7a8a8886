(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("player-data").textContent);
  const films = [...document.querySelectorAll("svg[data-tile]")].map((svg) => ({
    image: svg.querySelector("image"),
    lines: [...svg.querySelectorAll("path")].map((path) => [path, (data.paths[svg.dataset.tile] || {})[path.dataset.name]]),
    frames: +svg.dataset.frames, columns: +svg.dataset.columns, width: +svg.dataset.width, height: +svg.dataset.height,
    shown: -1,
  }));
  const cursors = [...document.querySelectorAll(".cursor")].map((line) => [line, line.dataset.x.split(",")]);
  const find = (name) => document.querySelector(`[data-do="${name}"]`);
  const slider = find("seek"), caption = find("frame"), play = find("play"), slow = find("slow"), outlines = find("outlines");
  let frame = data.start, playing = false, touched = false, before = 0, spent = 0, pace = 1;

  const label = () => {
    const time = data.times ? ` · ${Math.round(data.times[frame])} ms` : "";
    const marks = Object.keys(data.marks).filter((name) => data.marks[name] === frame);
    return `frame ${frame}${time}${marks.length ? " · " + marks.join(", ") : ""}`;
  };
  const showFilm = (film) => {
    const place = Math.min(film.frames - 1, Math.floor(((frame + 0.5) / data.frames) * film.frames));
    if (place === film.shown) return;
    film.shown = place;
    film.image.setAttribute("x", -((place % film.columns) * (film.width + 2) + 1));
    film.image.setAttribute("y", -(Math.floor(place / film.columns) * (film.height + 2) + 1));
    for (const [path, texts] of film.lines) if (texts) path.setAttribute("d", texts[place]);
  };
  const show = (wanted) => {
    frame = ((wanted % data.frames) + data.frames) % data.frames;
    films.forEach(showFilm);
    for (const [line, places] of cursors) {
      const x = places[frame] ?? -9;
      line.setAttribute("x1", x); line.setAttribute("x2", x);
    }
    if (slider) { slider.value = frame; caption.textContent = label(); }
  };
  const step = (now) => {
    if (!playing) return;
    spent += (now - before) * pace;
    before = now;
    const each = data.cycle / data.frames;
    if (spent >= each) { show(frame + Math.floor(spent / each)); spent %= each; }
    requestAnimationFrame(step);
  };
  const setPlaying = (on) => {
    playing = on && data.frames > 1;
    play.textContent = playing ? "Pause" : "Play";
    if (playing) { before = performance.now(); spent = 0; requestAnimationFrame(step); }
  };

  show(frame);
  if (!slider) return;
  play.addEventListener("click", () => { touched = true; setPlaying(!playing); });
  slider.addEventListener("input", () => { touched = true; setPlaying(false); show(+slider.value); });
  for (const name of Object.keys(data.marks)) {
    const button = find(name);
    if (button) button.addEventListener("click", () => { touched = true; setPlaying(false); show(data.marks[name]); });
  }
  slow.addEventListener("click", () => {
    pace = pace === 1 ? 0.25 : 1;
    slow.setAttribute("aria-pressed", pace !== 1);
  });
  if (outlines) outlines.addEventListener("click", () => {
    const bare = document.body.classList.toggle("bare");
    outlines.setAttribute("aria-pressed", !bare);
  });
  for (const tile of document.querySelectorAll("button.tile")) {
    tile.addEventListener("click", () => tile.classList.toggle("large"));
  }
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches && "IntersectionObserver" in window) {
    // Plays by itself once, when it first comes into sight; from then on the reader decides.
    const watcher = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      watcher.disconnect();
      if (!touched) setPlaying(true);
    }, { threshold: 0.4 });
    watcher.observe(document.querySelector(".player .tiles"));
  }
})();


(() => {
  // Pictures from disk close a canvas to scripts, so nothing is computed here: blending and filters are the browser's.
  const HEAT_FILTER = "url(#v-heat)";
  const ALTERNATE_MS = 500; // one change, well below the three flashes a second of WCAG 2.3.1
  const PAN_PX = 24;
  const TALLEST_PX = 540;
  const WIDE_PX = 960;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const reducesMotion = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  const start = (viewer) => {
    const one = (selector) => viewer.querySelector(selector);
    const all = (selector) => [...viewer.querySelectorAll(selector)];
    const stage = one(".v-stage"), panes = one(".v-panes"), single = one(".v-single"), say = one(".v-say");
    const under = one(".v-layer img"), over = one(".v-over img"), edge = one(".v-edge"), layers = one(".v-layers");
    const controls = Object.fromEntries(all(".v-bar [data-role]").map((each) => [each.dataset.role, each]));
    const names = [...controls.base.options].map((option) => option.text);
    const buttons = all(".v-frames button");
    const opening = Number(viewer.dataset.opening);
    const sources = buttons.map((button, at) =>
      (at === opening ? all(".v-pane img") : [...button.parentElement.querySelectorAll("span[hidden] img")]).map(
        (image) => image.getAttribute("src")));
    const state = { frame: opening, mode: "side", base: 0, shown: Math.min(1, names.length - 1), zoom: 1, edge: 50,
      gain: 8, flipped: false, x: null, y: null };
    let timer = 0, zoomWasChosen = false;

    const size = () => {
      const image = all(".v-window img").find((each) => each.naturalWidth);
      return image ? [image.naturalWidth, image.naturalHeight] : [480, 270];
    };
    // Every window shows the same point of the picture in its middle: that is what keeps them in step.
    const place = () => {
      const [width, height] = size();
      if (state.x === null) [state.x, state.y] = [width / 2, height / 2];
      const windows = all(".v-window").filter((each) => each.clientWidth);
      const half = (length, whole) => Math.min(length / 2 / state.zoom, whole / 2);
      if (windows.length) {
        const across = half(windows[0].clientWidth, width), down = half(windows[0].clientHeight, height);
        state.x = clamp(state.x, across, width - across);
        state.y = clamp(state.y, down, height - down);
      }
      for (const box of windows) {
        const left = Math.round(box.clientWidth / 2 - state.x * state.zoom);
        const top = Math.round(box.clientHeight / 2 - state.y * state.zoom);
        for (const image of box.querySelectorAll("img")) {
          image.style.transform = `translate(${left}px, ${top}px) scale(${state.zoom})`;
        }
      }
    };
    const put = (image, at) => {
      const source = sources[state.frame][at];
      if (source === null) image.removeAttribute("src");
      else if (image.getAttribute("src") !== source) image.src = source;
      return source !== null;
    };
    const words = () => {
      const pair = `${names[state.base]} and ${names[state.shown]}`;
      const seen = names[state.flipped ? state.base : state.shown];
      return { side: "side by side", slider: `${pair}, the edge at ${state.edge}%`, flicker: `showing ${seen}`,
        difference: `difference of ${pair}, ${state.gain} times`, heat: `heat map of ${pair}, ${state.gain} times` }[state.mode];
    };
    const draw = () => {
      const isSide = state.mode === "side";
      for (const mode of ["slider", "flicker", "difference", "heat"]) {
        viewer.classList.toggle(`v-${mode}`, state.mode === mode);
      }
      viewer.classList.toggle("v-zoomed", state.zoom > 1);
      panes.hidden = !isSide;
      single.hidden = isSide;
      edge.hidden = state.mode !== "slider";
      for (const each of all("[data-for]")) each.hidden = !each.dataset.for.split(" ").includes(state.mode);
      for (const each of all("[data-mode]")) each.setAttribute("aria-pressed", each.dataset.mode === state.mode);
      buttons.forEach((button, at) => {
        if (at === state.frame) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      });
      all(".v-pane").forEach((pane, at) => pane.classList.toggle("v-missing", !put(pane.querySelector("img"), at)));
      if (!isSide) {
        const both = [put(under, state.base), put(over, state.shown)].every(Boolean);
        const computes = state.mode === "difference" || state.mode === "heat";
        layers.style.filter = !computes ? "" :
          `brightness(${state.gain})${state.mode === "heat" ? ` ${HEAT_FILTER}` : ""}`;
        over.parentElement.style.clipPath = state.mode === "slider" ? `inset(0 0 0 ${state.edge}%)` : "";
        over.parentElement.style.visibility = state.mode === "flicker" && state.flipped ? "hidden" : "";
        edge.style.left = `${state.edge}%`;
        const sentence = words();
        single.querySelector("figcaption").textContent = sentence.charAt(0).toUpperCase() + sentence.slice(1) +
          (both ? "" : ": one has no picture of this frame");
        const box = single.querySelector(".v-window");
        box.style.height = `${clamp(size()[1] * state.zoom, 200, Math.min(TALLEST_PX, window.innerHeight * 0.62))}px`;
        over.alt = `${words()}, frame ${state.frame + 1} of ${buttons.length}`;
      }
      one(".v-most").textContent = `${Math.max(Math.round(255 / state.gain), 1)} codes or more, of R\u2032, G\u2032, B\u2032 together`;
      for (const [name, control] of Object.entries(controls)) if (name in state) control.value = state[name];
      controls.zoom.nextElementSibling.textContent = `${state.zoom}\u00d7`;
      say.textContent = `${buttons[state.frame].dataset.words}; ${words()}, zoom ${state.zoom}.`;
      place();
    };
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      controls.play.setAttribute("aria-pressed", "false");
    };
    const set = (changes) => {
      Object.assign(state, changes);
      if (state.mode !== "flicker") stop();
      draw();
    };
    const choose = (mode) => {
      const zoom = mode !== "side" && !zoomWasChosen && stage.clientWidth >= WIDE_PX ? 2 : state.zoom;
      set({ mode, zoom, flipped: false });
    };
    const zoomTo = (zoom) => {
      zoomWasChosen = true;
      set({ zoom: clamp(Math.round(zoom), 1, 8) });
    };
    const uncover = () => {
      const button = buttons[state.frame].parentElement, strip = button.parentElement;
      strip.scrollLeft = button.offsetLeft - strip.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
    };
    const go = (frame) => {
      set({ frame: clamp(frame, 0, buttons.length - 1) });
      uncover();
    };
    const show = (at) => {
      if (at === 0) return set({ mode: "flicker", flipped: true });
      if (at >= names.length) return undefined;
      return set({ shown: at, base: state.base === at ? 0 : state.base, flipped: false,
        mode: state.mode === "side" ? "flicker" : state.mode });
    };
    const flip = () => (state.mode === "flicker" ? set({ flipped: !state.flipped }) : choose("flicker"));
    const pan = (x, y) => set({ x: state.x + x / state.zoom, y: state.y + y / state.zoom });

    const keys = {
      " ": flip, d: () => choose(state.mode === "difference" ? "side" : "difference"),
      h: () => choose(state.mode === "heat" ? "side" : "heat"), s: () => choose("slider"), b: () => choose("side"),
      "+": () => zoomTo(state.zoom + 1), "=": () => zoomTo(state.zoom + 1), "-": () => zoomTo(state.zoom - 1),
      arrowleft: (event) => (event.shiftKey ? pan(-PAN_PX, 0) : go(state.frame - 1)),
      arrowright: (event) => (event.shiftKey ? pan(PAN_PX, 0) : go(state.frame + 1)),
      arrowup: (event) => event.shiftKey && pan(0, -PAN_PX), arrowdown: (event) => event.shiftKey && pan(0, PAN_PX),
    };
    viewer.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input")) return;
      const key = event.key.toLowerCase();
      if (key === " " && event.target.closest("button, summary")) return;
      if (key.startsWith("arrow") && !event.shiftKey && key !== "arrowleft" && key !== "arrowright") return;
      const act = keys[key] || (/^[0-9]$/.test(key) ? () => show(Number(key)) : null);
      if (!act) return;
      event.preventDefault();
      act(event);
    });
    viewer.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.mode) choose(button.dataset.mode);
      else if (button.dataset.frame) go(Number(button.dataset.frame));
      else if (timer) stop();
      else {
        controls.play.setAttribute("aria-pressed", "true");
        timer = setInterval(() => set({ flipped: !state.flipped }), ALTERNATE_MS * (reducesMotion ? 2 : 1));
      }
      if (event.detail) stage.focus({ preventScroll: true }); // by pointer: the next key is for the pictures
    });
    controls.zoom.addEventListener("input", () => zoomTo(Number(controls.zoom.value)));
    for (const name of ["base", "shown", "gain", "edge"]) {
      controls[name].addEventListener("input", () => set({ [name]: Number(controls[name].value), flipped: false }));
    }

    const fingers = new Map();
    let apart = 0, zoomBefore = 1;
    const distance = () => {
      const [a, b] = [...fingers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    stage.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".v-window")) return;
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY, isEdge: event.target === edge });
      if (fingers.size === 2) [apart, zoomBefore] = [distance(), state.zoom];
      event.target.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      const finger = fingers.get(event.pointerId);
      if (!finger) return;
      const [x, y] = [finger.x - event.clientX, finger.y - event.clientY];
      [finger.x, finger.y] = [event.clientX, event.clientY];
      if (fingers.size === 2) {
        const zoom = clamp(Math.round(zoomBefore * distance() / Math.max(apart, 1)), 1, 8);
        if (zoom !== state.zoom) zoomTo(zoom);
      } else if (finger.isEdge) {
        const box = edge.parentElement.getBoundingClientRect();
        set({ edge: clamp(Math.round((event.clientX - box.left) / box.width * 100), 0, 100) });
      } else {
        state.x += x / state.zoom;
        state.y += y / state.zoom;
        place();
      }
    });
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
    stage.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // the wheel alone scrolls the page
      event.preventDefault();
      zoomTo(state.zoom + (event.deltaY < 0 ? 1 : -1));
    }, { passive: false });
    stage.addEventListener("load", place, true);
    window.addEventListener("resize", draw);
    one(".v-bar").hidden = false;
    draw();
    uncover();
  };
  for (const viewer of document.querySelectorAll(".viewer")) start(viewer);

  const startVideos = (box) => {
    const videos = [...box.querySelectorAll("video")], say = box.querySelector(".v-say");
    const chosen = [...box.querySelectorAll("select")], seek = box.querySelector("[data-role=seek]");
    const run = box.querySelector("[data-role=run]");
    let at = 0;
    const option = (side) => chosen[side].selectedOptions[0];
    const rate = (side) => Number(option(side).dataset.rate);
    const last = () => Math.min(...[0, 1].map((side) => Number(option(side).dataset.frames))) - 1;
    const tell = () => {
      seek.value = at;
      seek.nextElementSibling.textContent = at;
      say.textContent = `Frame ${at} of ${last()}, ${(at / rate(0)).toFixed(2)} s: ${option(0).text} and ${option(1).text}.`;
    };
    // The middle of a frame's time: on its border a browser may show either neighbour.
    const show = (frame) => {
      at = clamp(frame, 0, last());
      videos.forEach((video, side) => { video.currentTime = (at + 0.5) / rate(side); });
      tell();
    };
    const load = () => {
      videos.forEach((video, side) => {
        if (video.getAttribute("src") === option(side).dataset.url) return;
        video.preload = "auto";
        video.src = option(side).dataset.url;
      });
      seek.max = last();
      show(at);
    };
    const pause = () => {
      for (const video of videos) video.pause();
      run.setAttribute("aria-pressed", "false");
      run.textContent = "Play";
      show(Math.floor(videos[0].currentTime * rate(0)));
    };
    const follow = () => {
      if (videos[0].paused) return;
      at = Math.min(Math.floor(videos[0].currentTime * rate(0)), last());
      const behind = videos[0].currentTime - videos[1].currentTime;
      videos[1].playbackRate = clamp(1 + behind, 0.5, 2); // catches up within a second, without a jump
      if (Math.abs(behind) > 0.5) videos[1].currentTime = videos[0].currentTime;
      tell();
      requestAnimationFrame(follow);
    };
    const play = () => {
      if (!videos[0].paused) return pause();
      run.setAttribute("aria-pressed", "true");
      run.textContent = "Pause";
      return Promise.all(videos.map((video) => video.play())).then(follow, pause);
    };
    videos.forEach((video, side) => {
      video.addEventListener("error", () => { say.textContent = `This browser cannot play ${option(side).text}.`; });
      video.addEventListener("ended", pause);
    });
    for (const select of chosen) select.addEventListener("input", load);
    seek.addEventListener("input", () => show(Number(seek.value)));
    box.addEventListener("toggle", () => box.open && load());
    box.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button === run) play();
      else show(at + Number(button.dataset.step));
    });
    box.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.target.closest("select, input, summary") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (step) show(at + step);
      else if (event.key === " " && !event.target.closest("button")) play();
      else return;
      event.preventDefault();
    });
  };
  for (const box of document.querySelectorAll(".v-videos")) startVideos(box);
})();

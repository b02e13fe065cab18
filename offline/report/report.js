(() => {
  "use strict";
  const page = document.documentElement;
  const sounds = [...document.querySelectorAll(".sound")].map((box) => ({
    box,
    role: box.dataset.role,
    audio: box.querySelector("audio"),
    area: box.querySelector(".area"),
    head: box.querySelector(".playhead"),
    button: box.querySelector(".play"),
    duration: Number(box.dataset.duration),
    volume: Number(box.dataset.volume),
  }));
  const dock = document.querySelector(".dock");
  const mainButton = dock.querySelector(".play");
  const choices = [...dock.querySelectorAll("[data-choose]")];
  const clock = dock.querySelector(".time");
  const match = dock.querySelector(".match input");
  const needle = document.querySelector(".needle");
  let current = sounds[sounds.length - 1];
  let position = 0; // of whatever is chosen, 0 .. 1: all three sounds share it

  const minutes = (seconds) => Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");

  function show() {
    const playing = !current.audio.paused;
    page.classList.toggle("playing", playing);
    mainButton.classList.toggle("is-playing", playing);
    mainButton.setAttribute("aria-label", (playing ? "Pause " : "Play ") + current.role);
    sounds.forEach((sound, n) => {
      const own = sound === current;
      sound.box.classList.toggle("is-current", own && page.classList.contains("started"));
      sound.button.classList.toggle("is-playing", own && playing);
      sound.button.setAttribute("aria-label", (own && playing ? "Pause " : "Play ") + sound.role);
      sound.head.style.left = 100 * position + "%";
      const seconds = position * sound.duration;
      sound.area.setAttribute("aria-valuenow", seconds.toFixed(1));
      sound.area.setAttribute("aria-valuetext", seconds.toFixed(1) + " of " + sound.duration.toFixed(1) + " seconds");
      choices[n].setAttribute("aria-pressed", String(own));
    });
    clock.textContent = minutes(position * current.duration) + " / " + minutes(current.duration);
    // The groove runs 15 turns from radius 150 to 62, from the top.
    const angle = 2 * Math.PI * 15 * position - Math.PI / 2;
    const radius = 150 - 88 * position;
    needle.setAttribute("cx", (radius * Math.cos(angle)).toFixed(2));
    needle.setAttribute("cy", (radius * Math.sin(angle)).toFixed(2));
  }

  let following = false; // one chain of frames, however often the sound is switched

  function follow() {
    following = !current.audio.paused;
    if (!following) return;
    position = Math.min(current.audio.currentTime / current.duration, 1);
    show();
    requestAnimationFrame(follow);
  }

  function choose(sound) {
    if (sound === current) return;
    current.audio.pause();
    current = sound;
    seek(position);
  }

  function seek(to) {
    position = Math.min(Math.max(to, 0), 1);
    current.audio.currentTime = position * current.duration;
    page.classList.add("started");
    show();
  }

  function play() {
    if (position >= 1) seek(0);
    page.classList.add("started");
    const begun = current.audio.play();
    if (begun) begun.catch((error) => error.name === "AbortError" || console.warn(error.message));
    show();
  }

  const toggle = (sound) => {
    const pause = sound === current && !sound.audio.paused;
    choose(sound);
    if (pause) sound.audio.pause(); else play();
  };

  function loudness() {
    for (const sound of sounds) sound.audio.volume = match.checked ? sound.volume : 1;
  }

  for (const sound of sounds) {
    const { audio, area } = sound;
    audio.controls = false;
    audio.addEventListener("play", () => { if (!following) follow(); });
    audio.addEventListener("pause", show);
    audio.addEventListener("ended", () => { if (sound === current) { position = 1; show(); } });
    sound.button.addEventListener("click", () => toggle(sound));

    area.tabIndex = 0;
    area.setAttribute("role", "slider");
    area.setAttribute("aria-valuemin", "0");
    area.setAttribute("aria-valuemax", sound.duration.toFixed(1));
    const at = (event) => {
      const box = area.getBoundingClientRect();
      return (event.clientX - box.left) / box.width;
    };
    area.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      area.setPointerCapture(event.pointerId);
    });
    area.addEventListener("pointermove", (event) => {
      if (area.hasPointerCapture(event.pointerId) && sound === current) seek(at(event));
    });
    area.addEventListener("click", (event) => {
      choose(sound);
      seek(at(event));
      play();
    });
    area.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "Enter") {
        event.preventDefault();
        event.stopPropagation();
        toggle(sound);
      }
    });
  }

  mainButton.addEventListener("click", () => toggle(current));
  choices.forEach((button, n) => button.addEventListener("click", () => { choose(sounds[n]); play(); }));
  match.addEventListener("change", loudness);

  const moves = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onPicture = event.target.closest(".area");
    if (["1", "2", "3"].includes(event.key)) {
      choose(sounds[Number(event.key) - 1]);
      play();
    } else if (event.key === " " && !event.target.closest("button, input, a")) {
      event.preventDefault();
      toggle(current);
    } else if (event.key.startsWith("Arrow") && event.key in moves || onPicture && event.key in moves) {
      event.preventDefault();
      seek(position + moves[event.key]);
    } else if (onPicture && (event.key === "Home" || event.key === "End")) {
      event.preventDefault();
      seek(event.key === "Home" ? 0 : 1);
    }
  });

  page.classList.add("script");
  loudness();
  show();
})();

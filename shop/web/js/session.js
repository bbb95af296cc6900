// Who is logged in. Kept in localStorage so that a reload and a second tab stay logged in.
const kKey = "session";
const listeners = new Set();

function read() {
  try {
    const value = JSON.parse(localStorage.getItem(kKey) || "null");
    if (value?.token && Date.parse(value.expiresAt) > Date.now()) return value;
  } catch {
    // An unreadable session is no session.
  }
  return null;
}

let current = read();

function publish() {
  for (const listener of listeners) listener(current);
}

export const session = {
  get token() {
    if (current && Date.parse(current.expiresAt) <= Date.now()) this.end();
    return current?.token ?? "";
  },
  get user() {
    return current?.user ?? null;
  },
  start(value) {
    current = value;
    try {
      localStorage.setItem(kKey, JSON.stringify(value));
    } catch {
      // Without storage the session lasts as long as the page.
    }
    publish();
  },
  end() {
    if (!current) return;
    current = null;
    try {
      localStorage.removeItem(kKey);
    } catch {
      // Nothing was stored then.
    }
    publish();
  },
  onChange(listener) {
    listeners.add(listener);
  },
};

addEventListener("storage", (event) => {
  if (event.key !== kKey) return;
  current = read();
  publish();
});

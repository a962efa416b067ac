// Shared by both pages: elements by their names, the API, dark or light.
export const at = (id) => document.getElementById(id);
/** The API's answer as JSON; an Error with its one line if it refuses. */
export async function ask(path, seconds, body) {
  const sent = body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await fetch(path, { ...sent, signal: AbortSignal.timeout(seconds * 1000) });
  if (answer.status === 401) location.assign("/login");
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error ?? `the station answers ${answer.status}`);
  return told;
}
const root = document.documentElement, system = matchMedia("(prefers-color-scheme: dark)");
if (localStorage.theme) root.dataset.theme = localStorage.theme;
at("theme").onclick = () => {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  root.dataset.theme = localStorage.theme = isDark ? "light" : "dark";
};

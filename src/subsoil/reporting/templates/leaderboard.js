// Brings one model's lines forward in the figure of all models.
function choose(models) {
  const figure = document.getElementById("figure-profiles");
  if (!figure) return;
  const box = document.createElement("div"), label = document.createElement("label"),
    select = document.createElement("select");
  box.className = "filter";
  label.append("Model to bring forward ", select);
  box.append(label);
  select.append(new Option("none", ""), ...models.map(([mark, name]) => new Option(name, mark)));
  select.addEventListener("change", () => {
    figure.querySelectorAll(".chosen").forEach((line) => line.classList.remove("chosen"));
    if (!select.value) return;
    figure.querySelectorAll(`[id$="-${select.value}"]`).forEach((line) => {
      line.classList.add("chosen");
      line.parentNode.append(line);
    });
  });
  figure.prepend(box);
}

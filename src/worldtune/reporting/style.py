"""Look and behaviour of the reports: one style sheet for both colour schemes, one small script.

Classes that a domain's example fragments may use: ``example`` (a details element with
``data-tags``), ``where``, ``chips``, ``chip``, ``example-body``, ``before``, ``after``,
``answers``, ``context``, ``tree`` (items with ``--depth`` and ``target``), ``card``, ``truth``,
``groups``, ``lines``, ``right``, ``wrong``, ``missed``, ``mark``, ``badge``, ``id``, ``thing``,
``property``, ``properties`` (values behind their names in ``i``), ``differs``, ``score``,
``nothing``, ``more``, ``sr``, and ``model-NAME`` for the colour of a model. Text colours keep a
contrast of at least 4.5 to 1 in both schemes.
"""

STYLE = """\
:root{color-scheme:light dark;--bg:#f7f7f5;--panel:#fff;--ink:#1d2126;--soft:#5a626c;--rule:#dfe1e4;
--faint:#eff0f1;--accent:#0b6e63;--copy:#6a717b;--sft:#2463b0;--rlvr:#b04a06;--right:#14703a;
--right-bg:#e7f5ec;--wrong:#b3261e;--wrong-bg:#fcebea;--target:#fff1c2;--target-rule:#c48a00;
--s0:#2463b0;--s1:#b04a06;--s2:#0b7a6c;--s3:#8a3fa0;--s4:#6a717b;--s5:#a3313f;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--panel:#1c2024;--ink:#e7e9ec;--soft:#a3abb5;
--rule:#343a41;--faint:#262b30;--accent:#5fd0bf;--copy:#a3abb5;--sft:#7db4f5;--rlvr:#f5a463;
--right:#6fd699;--right-bg:#173324;--wrong:#ff9b92;--wrong-bg:#3d2021;--target:#453a15;
--target-rule:#e0b43c;--s0:#7db4f5;--s1:#f5a463;--s2:#5fd0bf;--s3:#d39be6;--s4:#a3abb5;
--s5:#ff9b92}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:3.2rem}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,
"Segoe UI",
Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1180px;margin:0 auto;padding:1.5rem 1.25rem 4rem}
nav{position:sticky;top:0;z-index:1;display:flex;gap:1.4rem;overflow-x:auto;
padding:.6rem max(1.25rem,
calc((100% - 1180px)/2 + 1.25rem));background:var(--bg);border-bottom:1px solid var(--rule)}
nav a{color:var(--soft);text-decoration:none;font-size:.9rem;white-space:nowrap}
nav a:hover,nav a:focus{color:var(--accent);text-decoration:underline}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
h1{font-size:clamp(1.5rem,3.4vw,2.1rem);line-height:1.2;letter-spacing:-.015em;margin:.6rem 0 .4rem}
h2{font-size:1.3rem;letter-spacing:-.01em;margin:3rem 0 .4rem}
h3{font-size:1.02rem;margin:1.6rem 0 .4rem}
h4{font-size:.86rem;margin:0 0 .5rem}
h5{font-size:.76rem;margin:.5rem 0 .2rem;color:var(--soft);font-weight:600}
p{margin:.4rem 0}
.lead,.note{color:var(--soft);max-width:78ch}
.eyebrow{color:var(--accent);font-size:.86rem;font-weight:600;margin:1rem 0 0}
.verdict{font-size:1.12rem;max-width:76ch;margin:.6rem 0 1.4rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(46%,210px),1fr));gap:.9rem;
margin:1rem 0}
.tile{background:var(--panel);border:1px solid var(--rule);border-top:3px solid var(--tone,
var(--rule));
border-radius:8px;padding:.8rem 1rem}
.tile .name{color:var(--soft);font-size:.86rem}
.tile .value{display:block;font-size:1.8rem;font-weight:650;line-height:1.25;letter-spacing:-.02em}
.tile .ci{display:block;margin:0}
.model-copy{--tone:var(--copy)}.model-sft{--tone:var(--sft)}.model-rlvr{--tone:var(--rlvr)}
.gain{--tone:var(--accent)}
.ci{display:inline-block;color:var(--soft);font-size:.8rem;margin-left:.35rem;white-space:nowrap}
.table-frame{overflow-x:auto;margin:1rem 0;background:var(--panel);border:1px solid var(--rule);
border-radius:8px;padding:.3rem 1rem .6rem}
table{border-collapse:collapse;width:100%;font-size:.93rem}
caption{text-align:left;font-weight:600;padding:.6rem 0 .4rem}
th,td{text-align:right;padding:.38rem .6rem;white-space:nowrap;font-weight:400}
th:first-child,.label{text-align:left}
th:first-child{padding-left:0}
thead th{color:var(--soft);font-size:.83rem;border-bottom:1px solid var(--rule)}
#comparison table{font-size:.86rem}
#comparison .strip{width:120px}
tbody th{font-weight:600}
tr.group:not(:first-child)>*{border-top:1px solid var(--rule)}
td b{font-weight:650}
.best{color:var(--accent);font-weight:700}
.key-model::before{content:"";display:inline-block;width:.6rem;height:.6rem;border-radius:50%;
background:var(--tone,var(--s4));margin-right:.45rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:.9rem}
.chart{margin:0;background:var(--panel);border:1px solid var(--rule);border-radius:8px;
padding:.7rem .9rem .5rem;min-width:0;display:flex;flex-direction:column}
.chart>svg{margin-top:auto}
figcaption{font-weight:600;font-size:.9rem;display:flex;flex-wrap:wrap;gap:.1rem .9rem;
justify-content:space-between;min-height:1.5rem}
.legend{display:flex;flex-wrap:wrap;gap:0 .9rem;font-weight:400;font-size:.8rem;color:var(--soft)}
.key::before{content:"";display:inline-block;width:.8rem;height:.2rem;border-radius:1px;
background:var(--line);vertical-align:middle;margin-right:.3rem}
.key b{color:var(--ink);font-weight:600}
.series-0{--line:var(--s0)}.series-1{--line:var(--s1)}.series-2{--line:var(--s2)}
.series-3{--line:var(--s3)}.series-4{--line:var(--s4)}.series-5{--line:var(--s5)}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:11.5px;fill:var(--soft)}
.grid{stroke:var(--rule);stroke-width:.7}.axis{stroke:var(--soft);stroke-width:.8}
path{fill:none;stroke:var(--line);stroke-linejoin:round;stroke-linecap:round}
path.line{stroke-width:2}path.raw{stroke-width:1;opacity:.28}
.point{fill:var(--line)}
.strip{width:170px;height:auto;margin-left:auto;--line:var(--tone,var(--accent))}
.rail{stroke:var(--faint);stroke-width:7;stroke-linecap:round}
.zero{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 2}
.whisker{stroke:var(--line);stroke-width:3;stroke-linecap:round}.dot{fill:var(--line)}
.bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:.45rem .8rem;
align-items:center;font-size:.9rem;padding:.5rem 0}
.bar-track{background:var(--faint);border-radius:3px;height:.8rem}
.bar{background:var(--s0);border-radius:3px;height:100%;min-width:2px}
.bar-value{color:var(--soft);text-align:right}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:.9rem}
.fact{background:var(--panel);border:1px solid var(--rule);border-radius:8px;padding:.8rem 1rem}
dl{display:grid;grid-template-columns:auto 1fr;gap:.15rem .9rem;margin:0;font-size:.9rem}
dt{color:var(--soft)}dd{margin:0;text-align:right;overflow-wrap:anywhere}
details.more-curves{margin-top:1rem}
details.more-curves>summary{cursor:pointer;color:var(--accent);font-weight:600;margin-bottom:.7rem}
.filters{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0}
.filters button{font:inherit;font-size:.88rem;color:var(--ink);background:var(--panel);
cursor:pointer;
border:1px solid var(--rule);border-radius:999px;padding:.25rem .9rem}
.filters button:hover{border-color:var(--accent)}
.filters button[aria-pressed=true]{background:var(--accent);border-color:var(--accent);
color:var(--bg)}
.filters .toggle{margin-left:auto;border-style:dashed}
.example{background:var(--panel);border:1px solid var(--rule);border-radius:8px;margin:.6rem 0}
.example>summary{display:flex;flex-wrap:wrap;align-items:center;gap:.3rem .9rem;cursor:pointer;
padding:.65rem 1rem;list-style:none}
.example>summary::-webkit-details-marker{display:none}
.example>summary::before{content:"";border:solid var(--soft);border-width:0 2px 2px 0;padding:2.5px;
transform:rotate(-45deg);transition:transform .15s}
.example[open]>summary::before{transform:rotate(45deg)}
.example>summary>code:first-of-type{font-weight:650}
.example>summary>code{overflow-wrap:anywhere}
.where{color:var(--soft);font-size:.86rem}
.chips{display:flex;flex-wrap:wrap;gap:.4rem;margin-left:auto}
.chip{font-size:.8rem;border:1px solid var(--tone,var(--rule));color:var(--tone,var(--soft));
border-radius:999px;padding:.05rem .6rem;white-space:nowrap}
.example-body{display:grid;grid-template-columns:minmax(0,5fr) minmax(0,8fr);gap:1.2rem;
padding:.4rem 1rem 1rem;border-top:1px solid var(--rule);padding-top:.9rem}
.answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,260px),1fr));gap:.8rem;
margin-top:.8rem}
.card{border:1px solid var(--rule);border-top:3px solid var(--tone,var(--soft));border-radius:6px;
padding:.6rem .8rem;min-width:0}
.score{float:right;color:var(--tone,var(--soft))}
code{font-family:var(--mono);font-size:.8rem}
.context{font-size:.8rem;color:var(--soft);display:grid;gap:.1rem;margin:0 0 .5rem;
overflow-wrap:anywhere}
.context i{font-style:normal;font-weight:600}
.tree,.lines ul{list-style:none;margin:0;padding:0}
.tree li,.lines li{overflow-wrap:anywhere;line-height:1.45}
.tree{background:var(--faint);border-radius:6px;padding:.5rem .3rem}
.tree li{padding:.05rem .5rem .05rem calc(.5rem + var(--depth)*.95rem + 1.6rem);text-indent:-1.6rem;
border-left:3px solid transparent}
.tree .target{background:var(--target);border-left-color:var(--target-rule);border-radius:3px}
.tree .target code{font-weight:650}
.id{color:var(--soft)}
code i{font-style:normal}
.properties{display:block;text-indent:0;font-size:.74rem;margin:-.05rem 0 .25rem -.8rem}
.properties i{color:var(--soft)}.tree .target .properties{font-weight:400}
.thing{font-weight:650}.tree .thing~.id{font-weight:400}.lines h5 code{color:var(--ink)}
.property{font-weight:650}
.groups{columns:2 17rem;column-gap:1.2rem}.groups h5{margin-top:0}
.groups .lines{break-inside:avoid;padding-bottom:.4rem}
.differs{text-decoration:underline 2px;text-underline-offset:3px}
.lines li{display:flex;gap:.45rem;padding:.12rem .45rem;border-radius:4px;margin:.12rem 0}
.mark{flex:none;width:1em;font-weight:700}
.right{background:var(--right-bg)}.right,.right .id{color:var(--right)}
.wrong{background:var(--wrong-bg)}.wrong,.wrong .id{color:var(--wrong)}
.missed{border:1px dashed var(--rule)}.missed,.missed .id{color:var(--soft)}
.missed code,.missed code i{font-style:italic}
.badge{display:inline-block;font-size:.7rem;line-height:1.5;color:var(--soft);margin-left:.45rem;
border:1px dashed var(--soft);border-radius:999px;padding:0 .5rem;white-space:nowrap}
.nothing,.more{color:var(--soft);font-size:.86rem;font-style:italic}
.signs{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;font-size:.86rem;color:var(--soft);
margin:.6rem 0}
.signs b{font-weight:700}.signs .r{color:var(--right)}.signs .w{color:var(--wrong)}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
footer{margin-top:3rem;color:var(--soft);font-size:.86rem;border-top:1px solid var(--rule);
padding-top:.8rem}
[hidden]{display:none!important}
@media(max-width:800px){.example-body{grid-template-columns:minmax(0,1fr)}.chips{margin-left:0}
.filters .toggle{margin-left:0}main{padding:1rem .9rem 3rem}.strip{width:150px}}
@media(prefers-reduced-motion:reduce){*{transition:none!important;scroll-behavior:auto!important}}
@media print{nav,.filters{display:none}.example,.chart,.tile{break-inside:avoid}}
"""

SCRIPT = """\
for (const frame of document.querySelectorAll("[data-examples]")) {
  const items = [...frame.querySelectorAll("details.example")];
  const tagsOf = (item) => (item.dataset.tags || "").split(" ").filter(Boolean);
  const names = ["all", ...new Set(items.flatMap(tagsOf))];
  const bar = frame.querySelector(".filters");
  const has = (item, name) => name === "all" || tagsOf(item).includes(name);
  const words = (name) => name.replace(/-/g, " ").replace(/^(rlvr|sft)/, (m) => m.toUpperCase())
    .replace(/^./, (m) => m.toUpperCase());
  const buttons = names.map((name) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${words(name)} (${items.filter((item) => has(item, name)).length})`;
    button.setAttribute("aria-pressed", String(name === "all"));
    button.onclick = () => {
      items.forEach((item) => { item.hidden = !has(item, name); });
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    };
    return button;
  });
  const toggle = document.createElement("button");
  toggle.type = "button";
  toggle.className = "toggle";
  toggle.textContent = "Open or close all";
  toggle.onclick = () => {
    const isOpen = !items.every((item) => item.hidden || item.open);
    items.forEach((item) => { item.open = isOpen; });
  };
  bar.append(...buttons, toggle);
}
"""

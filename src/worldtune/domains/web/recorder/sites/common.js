// The one script that every mini-site includes: seeded randomness, vocabularies, state, DOM building.
//
// Nothing here reads a clock, sets a timer or asks the network, and Math.random is made to throw, so a
// page is a function of (site, seed, actions). Two generators: the layout generator restarts with the
// same seed on every page of a site (the same script draws the same layout on each page); the hidden
// generator goes on across pages through a counter in sessionStorage, because what it draws cannot be
// known before it is shown.
"use strict";
(() => {
  const list = (text) => text.trim().split(/\s+/);

  const words = {
    people: list(`
      Ada Alan Amir Anna Astrid Bella Boris Carla Cedric Chen Conrad Cyrus Daria Derek Edgar Elena Elias
      Emma Esther Ethan Fatima Felix Flora Freya Gavin George Gina Gustav Harold Hazel Helga Henry Hugo
      Ida Igor Ingrid Isaac Ivan Jasper Jenny Jonas Judith Julian Karin Keira Klaus Lara Laura Leon
      Lewis Linus Lucas Luisa Marco Martha Mason Maya Mehdi Mina Nadia Naomi Niall Nina Nora Olga Oscar
      Pablo Paula Percy Quinn Rafael Rania Robin Rosa Ruth Sami Selma Sonia Stella Tara Tessa Tobias Uma
      Ursula Victor Viola Wesley Xavier Yara Zelda`),
    products: list(`
      Anvil Backpack Battery Beanie Binder Blender Bottle Bracelet Broom Bucket Camera Candle Carpet
      Chair Clock Cooker Couch Cup Curtain Desk Doll Drill Earring Easel Fan Flute Folder Frame Gloves
      Guitar Hammock Hat Heater Helmet Hoodie Jacket Jar Kettle Keyboard Knife Lamp Lantern Leash Lens
      Magnet Mat Mattress Mixer Monitor Mug Necklace Notebook Paddle Paint Pencil Pillow Pipe Pliers
      Poster Puzzle Radio Rake Ring Rope Rug Saddle Sandal Scarf Scissors Shirt Skate Sled Socks Speaker
      Stapler Stove Suitcase Table Tablet Teapot Ticket Tie Torch Towel Tray Umbrella Vacuum Violin
      Wallet Whistle`),
    foods: list(`
      Almond Apple Avocado Bacon Banana Barley Bean Beet Bread Broccoli Cabbage Cake Cashew Celery
      Cherry Chili Cider Coconut Cookie Corn Cucumber Curry Donut Egg Garlic Ginger Honey Jam Kale Kiwi
      Lemon Lentil Mango Melon Mint Muffin Mustard Noodle Oat Olive Orange Paprika Peach Peanut Pepper
      Pickle Pineapple Pizza Popcorn Potato Pumpkin Quinoa Raisin Rice Salmon Salt Sausage Soup Steak
      Sugar Toast Tofu Tuna Turnip Waffle Walnut`),
    cities: list(`
      Accra Algiers Amman Athens Atlanta Baghdad Bangkok Bogota Boston Brussels Bucharest Cairo Calgary
      Chicago Cologne Dallas Delhi Denver Dublin Durban Glasgow Hamburg Harare Havana Houston Istanbul
      Kampala Karachi Lagos Leeds Lisbon London Luanda Madrid Malmo Marseille Melbourne Milan Montreal
      Mumbai Munich Naples Nice Oslo Ottawa Perth Porto Prague Riga Rome Seattle Seoul Sofia Stockholm
      Tallinn Tehran Toronto Tunis Utrecht Vienna Warsaw Zagreb`),
    topics: list(`
      Algebra Anatomy Astronomy Ballet Biology Boxing Budget Ceramics Chemistry Cinema Coding Comedy
      Cricket Cycling Design Economy Ecology Ethics Fencing Finance Football Forestry Genetics Geometry
      Golf Hiking History Housing Jazz Judo Karate Law Literature Marketing Medicine Mythology Nutrition
      Opera Painting Parking Philosophy Physics Pilates Politics Pottery Psychology Robotics Rowing
      Safety Sculpture Security Skiing Soccer Surfing Swimming Taxes Theater Tourism Training Weather
      Weaving Yoga`),
    adjectives: list(`
      Active Amber Basic Brave Brief Broken Careful Cheap Clever Compact Crisp Daily Dark Deep Dry Eager
      Early Elegant Exact Famous Fast Final Flat Fresh Full Giant Glad Grand Hard Heavy Honest Humble
      Hungry Idle Keen Kind Late Light Lively Local Loud Mellow Mild Narrow New Nimble Noisy Open Pale
      Plain Proud Pure Quiet Rare Rough Royal Safe Sharp Shiny Silent Sleek Slow Smart Soft Solid Steep
      Strong Sunny Swift Tender Thick Tidy Vast Warm Wide Wise`),
    nouns: list(`
      Anchor Arrow Bakery Balloon Beach Bird Boat Button Canal Castle Circle Cliff Coast Corner Crown
      Desert Dream Eagle Engine Falcon Feather Field Flag Forest Fox Galaxy Gate Glacier Hill Island
      Jungle Lake Letter Lighthouse Map Market Medal Mountain Museum Oasis Orchard Owl Panda Park Pebble
      Pilot Pirate Pond Pyramid Rabbit River Robot School Shell Ship Snow Spring Square Star Statue
      Stream Sunset Temple Tower Train Tree Turtle Valley Volcano Wave Whale Winter`),
    companies: list(`
      Acorix Altavo Belmark Brivane Cantrix Cobaltis Dalmont Dynatek Eastmere Fabrico Ferrano Gaviola
      Glenmore Halvorn Hexatron Indigen Jettara Juniperix Kestrin Lanterra Marlowe Nexaro Norvalis
      Oakhurst Omnivar Pelagon Pinnaco Questrel Redmont Rivulon Silvano Solaris Sylvana Tamarix Trivento
      Valdoro Vantage Westmark Wyndham Zenitho`),
    colors: list(`
      Azure Beige Black Bronze Brown Copper Coral Crimson Emerald Gold Green Ivory Indigo Khaki Lavender
      Magenta Maroon Mauve Ochre Pearl Purple Red Ruby Sapphire Scarlet Tan Teal Turquoise Violet White`),
    verbs: list(`
      Answer Arrange Bake Boil Borrow Burn Call Carve Check Close Compare Copy Cover Deliver Drive
      Explain Fill Fix Follow Greet Guide Help Hire Invite Keep Lend List Mail Meet Mix Order Peel Pick
      Plant Post Prepare Print Push Record Repair Return Rinse Scan Send Share Sketch Stack Sweep Test
      Trim Visit Weigh`),
  };

  const parameters = new URLSearchParams(location.search);
  const seed = Number.parseInt(parameters.get("seed") ?? "0", 10) || 0;
  const site = location.pathname.split("/").filter(Boolean)[0] ?? "";

  // FNV-1a over the text, then a final mix, so that neighbouring seeds give unrelated streams.
  const hash = (text) => {
    let value = 0x811c9dc5;
    for (const character of text) {
      value = Math.imul(value ^ character.charCodeAt(0), 0x01000193);
    }
    value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
    value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
    return (value ^ (value >>> 16)) >>> 0;
  };

  // mulberry32: 32 bits of state, uniform in [0, 1).
  const generator = (start) => {
    let state = start >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let value = Math.imul(state ^ (state >>> 15), state | 1);
      value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
      return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
    };
  };

  const layout = generator(hash(`layout/${site}/${seed}`));
  const key = (name) => `${site}/${name}`;

  const load = (name, initial) => {
    const stored = sessionStorage.getItem(key(name));
    if (stored !== null) {
      return JSON.parse(stored);
    }
    const value = typeof initial === "function" ? initial() : initial;
    if (value !== undefined) {
      save(name, value);
    }
    return value;
  };
  const save = (name, value) => sessionStorage.setItem(key(name), JSON.stringify(value));

  const hidden = () => {
    const count = load("hidden-counter", 0);
    save("hidden-counter", count + 1);
    return generator(hash(`hidden/${site}/${seed}/${count}`))();
  };
  const HIDDEN_COUNTS = [0.22, 0.14, 0.18, 0.18, 0.17, 0.11];
  const hiddenCount = () => {
    let rest = hidden();
    for (let count = 0; count < HIDDEN_COUNTS.length; count += 1) {
      rest -= HIDDEN_COUNTS[count];
      if (rest < 0) {
        return count;
      }
    }
    return HIDDEN_COUNTS.length - 1;
  };

  const shuffle = (items) => {
    const result = [...items];
    for (let last = result.length - 1; last > 0; last -= 1) {
      const other = Math.floor(layout() * (last + 1));
      [result[last], result[other]] = [result[other], result[last]];
    }
    return result;
  };

  const ARIA = /^aria[A-Z]/;
  const setOption = (element, name, value) => {
    if (value === undefined || value === null || value === false) {
      return;
    }
    if (name === "text") {
      element.textContent = String(value);
    } else if (name === "attributes" || name === "attrs") {
      Object.entries(value).forEach(([attribute, text]) => setOption(element, attribute, text));
    } else if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2).toLowerCase(), value);
    } else if (name === "dataset") {
      Object.assign(element.dataset, value);
    } else if (["value", "checked", "selected", "disabled"].includes(name) && name in element) {
      element[name] = value;
    } else {
      const renamed = { className: "class", htmlFor: "for" }[name] ?? name;
      const attribute = ARIA.test(renamed) ? `aria-${renamed.slice(4).toLowerCase()}` : renamed;
      element.setAttribute(attribute, value === true && !attribute.startsWith("aria-") ? "" : String(value));
    }
  };
  // Build an element: el("button", {text: "Add", onclick: add, ariaPressed: "false", id: "x"}, child, "text").
  // Options that are false, null or undefined are left out (for aria states pass the text "false").
  const el = (tag, options = {}, ...children) => {
    const element = document.createElement(tag);
    Object.entries(options ?? {}).forEach(([name, value]) => setOption(element, name, value));
    element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    // A select takes its value only once its options exist.
    if (tag === "select" && options && options.value !== undefined) {
      element.value = options.value;
    }
    return element;
  };

  const setObjective = (text) => {
    if (document.body) {
      document.body.dataset.objective = text;
    } else {
      document.addEventListener("DOMContentLoaded", () => { document.body.dataset.objective = text; });
    }
  };

  Math.random = () => {
    throw new Error("Math.random is not reproducible: use WT.int, WT.pick or WT.hiddenPick");
  };

  window.WT = Object.freeze({
    seed,
    site,
    words: Object.freeze(words),
    // Layout draws: the same on every page of the site. int is inclusive at both ends.
    int: (low, high) => low + Math.floor(layout() * (high - low + 1)),
    pick: (items) => items[Math.floor(layout() * items.length)],
    sample: (items, count) => shuffle(items).slice(0, count),
    shuffle,
    // Hidden draws: what nobody can know before the page shows it. Never repeats within an episode.
    hiddenCount,
    hiddenPick: (items) => items[Math.floor(hidden() * items.length)],
    hiddenInt: (low, high) => low + Math.floor(hidden() * (high - low + 1)),
    // Mark an element whose text does not follow from what was visible before; returns it.
    hide: (element) => {
      element.setAttribute("data-hidden", "");
      return element;
    },
    objective: setObjective,
    save,
    load,
    link: (page) => `/${site}/${page}?seed=${seed}`,
    el,
  });
})();

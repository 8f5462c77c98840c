//! Renders a datasheet in headless Chromium: no console message, no request, no sideways scrolling, a picture with content.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bitlathe_cores::{Core, kinds};
use bitlathe_flow::generate::{self, Options};
use bitlathe_flow::synth::{SynthRequest, synthesize};
use bitlathe_flow::tools::Tools;
use serde_json::{Value, json};

/// Written into a copy of the page: sends what the browser made of it to the frame around it.
const PROBE: &str = "<script>addEventListener('load', () => {
  const root = document.documentElement;
  parent.postMessage(JSON.stringify({
    inner: innerWidth,
    scroll: root.scrollWidth,
    requests: performance.getEntriesByType('resource').map(e => e.name),
    sections: [...document.querySelectorAll('main section')].filter(s => s.innerText.length > 120).map(s =>
      s.querySelector('h2').innerText),
    nameless: [...document.querySelectorAll('.label')].map(l => l.innerText).filter(t => !t.includes('Origin: ')),
    facts: [...document.querySelectorAll('.facts > div')].map(f => f.querySelector('.origin').innerText),
    cut: [...document.querySelectorAll('.scroll, .drawing, pre')].filter(e => e.scrollWidth > e.clientWidth + 1)
      .map(e => e.ariaLabel ?? e.innerText),
    small: [...document.querySelectorAll('main *')].filter(e => e.children.length === 0 && e.innerText?.trim()
      && parseFloat(getComputedStyle(e).fontSize) < 11).map(e => e.innerText),
    unboxed: [...document.querySelectorAll('table, svg')].filter(e => e.closest('.scroll, .drawing') === null).length,
    outside: [...document.querySelectorAll('svg text')].filter(t => {
      const svg = t.ownerSVGElement.getBoundingClientRect(), box = t.getBoundingClientRect();
      return box.left < svg.left - 1 || box.right > svg.right + 1 || box.bottom > svg.bottom + 1;
    }).map(t => t.textContent),
  }), '*');
});</script></body>";

/// Shows the page in a frame, because a window is at least 500 pixels wide, and writes down what the probe sends.
const FRAME: &str = "<!doctype html><script>addEventListener('message', e => {
  const out = document.createElement('div');
  out.id = 'probe';
  out.textContent = e.data;
  document.body.append(out);
});</script><body><iframe src='page.html' style='border:0;width:WIDTHpx;height:1500px'></iframe></body>";

/// Every section, in order.
const SECTIONS: [&str; 11] = [
    "Function",
    "Ports",
    "Registers",
    "Streams",
    "Formats and ranges",
    "Timing",
    "Cycles",
    "Stream rates",
    "Resources",
    "Instantiation",
    "Regeneration",
];

fn core(config: &str) -> Box<dyn Core> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(config);
    let document: Value = toml::from_str(&fs::read_to_string(path).expect("a config")).expect("TOML");
    let kind = kinds().iter().find(|k| document["kind"] == k.name()).expect("a kind");
    kind.configure(&document).unwrap_or_else(|e| panic!("{e:?}"))
}

/// The datasheet of a core with synthesis reports.
fn page_with(config: &str, synth: Vec<Value>) -> String {
    let core = core(config);
    let rtl = generate::print(core.as_ref()).expect("prints");
    let options = Options { config_file: config.into(), synth, ..Options::default() };
    let all = generate::files(core.as_ref(), &rtl, &options).expect("a core");
    all.into_iter().find(|f| f.path == "datasheet.html").expect("written").text
}

/// The datasheet of a core, with what Yosys says of it where that is asked for.
fn page(config: &str, measure: bool) -> String {
    let core = core(config);
    let rtl = generate::print(core.as_ref()).expect("prints");
    let synth = measure.then(|| {
        let top = core.interface().top;
        let request = SynthRequest::new(&rtl.files, &top, core.target().family);
        let report = synthesize(&request, &Tools::discover().expect("tools")).expect("Yosys runs");
        serde_json::to_value(report).expect("JSON")
    });
    page_with(config, synth.into_iter().collect())
}

/// A requantizing core with resident weights, measured.
fn requantizing() -> String {
    page("examples/digits/layer1.toml", true)
}

/// A core with exact sums and streamed weights, not measured.
fn exact() -> String {
    page("examples/ternary-sherry.toml", false)
}

fn chromium() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.into_iter().find(|n| Command::new(n).arg("--version").output().is_ok_and(|o| o.status.success()));
    if found.is_none() {
        println!("skipped: no Chromium is installed (Debian package chromium)");
    }
    found
}

/// Starts the browser on a page in a profile of its own.
fn browse(browser: &str, home: &Path, page: &Path, width: u32, action: &str) -> Output {
    let profile = home.join("profile");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--window-size={width},1600"))
        .arg(action)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What the probe found, and the browser's console messages.
fn probe(browser: &str, html: &str, width: u32) -> (Value, Vec<String>) {
    let home = tempfile::tempdir().expect("a folder");
    let frame = home.path().join("frame.html");
    fs::write(home.path().join("page.html"), html.replace("</body>", PROBE)).expect("writable");
    fs::write(&frame, FRAME.replace("WIDTH", &width.to_string())).expect("writable");
    let output = browse(browser, home.path(), &frame, 1600, "--dump-dom");
    let dom = String::from_utf8_lossy(&output.stdout);
    let found = dom.split("<div id=\"probe\">").nth(1).and_then(|t| t.split("</div>").next()).expect("the probe ran");
    let log = String::from_utf8_lossy(&output.stderr);
    let console = log.lines().filter(|l| l.contains("CONSOLE")).map(str::to_string).collect();
    (serde_json::from_str(&found.replace("&amp;", "&")).expect("JSON"), console)
}

fn screenshot(browser: &str, home: &Path, html: &str, width: u32) -> PathBuf {
    let (page, picture) = (home.join("page.html"), home.join("page.png"));
    fs::write(&page, html).expect("writable");
    browse(browser, home, &page, width, &format!("--screenshot={}", picture.display()));
    picture
}

/// Width, and the share of pixels that differ from the most frequent colour.
fn content(picture: &Path) -> (u32, f64) {
    let file = BufReader::new(fs::File::open(picture).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let mut data = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut data).expect("a frame");
    let pixel = info.color_type.samples();
    let mut counts = std::collections::HashMap::<&[u8], usize>::new();
    let pixels = data[..info.buffer_size()].chunks_exact(pixel);
    let total = pixels.len();
    pixels.for_each(|p| *counts.entry(p).or_default() += 1);
    let most = counts.values().max().copied().unwrap_or(total);
    (info.width, 1.0 - most as f64 / total as f64)
}

#[test]
fn the_datasheet_fits_phone_and_desktop_and_asks_for_nothing() {
    let Some(browser) = chromium() else { return };
    for (html, width) in [(requantizing(), 375), (requantizing(), 1280), (exact(), 375), (exact(), 1280)] {
        let (found, console) = probe(browser, &html, width);
        assert_eq!(console, Vec::<String>::new(), "console at {width}");
        assert_eq!(found["inner"], width, "the frame has another width");
        assert_eq!(found["scroll"], width, "the page scrolls sideways");
        assert_eq!(found["requests"], json!([]), "requests at {width}");
        assert_eq!(found["sections"], json!(SECTIONS), "sections with content");
        assert_eq!(found["nameless"], json!([]), "a table or figure that does not say where it comes from");
        assert!(found["facts"].as_array().is_some_and(|f| f.iter().all(|o| o != "")), "{}", found["facts"]);
        assert_eq!(found["unboxed"], 0, "a table or drawing that cannot scroll in its box");
        assert_eq!(found["outside"], json!([]), "texts that leave their drawing at {width}");
        assert_eq!(found["small"], json!([]), "texts too small to read at {width}");
        if width == 1280 {
            assert_eq!(found["cut"], json!([]), "boxes that are cut on a desktop");
        }
        let home = tempfile::tempdir().expect("a folder");
        let (got, share) = content(&screenshot(browser, home.path(), &html, width));
        assert_eq!(got, width);
        assert!((0.08..0.9).contains(&share), "{share:.3} of the picture differs from its background");
    }
}

#[test]
fn the_checks_see_a_page_that_is_wrong() {
    let Some(browser) = chromium() else { return };
    let extra = "<img src='http://localhost:9/nowhere.png' alt=''><div style='width:500px'>wide</div><table></table>\
                 <p class=label>a figure</p><pre style='width:9px'>wide</pre><main><p style='font-size:9px'>fine print</p>\
                 </main><script>console.error('seen')</script></body>";
    let (found, console) = probe(browser, &exact().replace("</body>", extra), 375);
    assert!(found["scroll"].as_u64().is_some_and(|w| w >= 500), "{found}");
    assert_eq!(found["requests"], json!(["http://localhost:9/nowhere.png"]));
    assert_eq!(found["unboxed"], 1);
    assert_eq!(found["nameless"], json!(["a figure"]));
    assert_eq!(found["small"], json!(["fine print"]));
    assert!(found["cut"].as_array().is_some_and(|c| c.contains(&json!("wide"))), "{found}");
    assert!(console.iter().any(|l| l.contains("seen")), "{console:?}");
    let home = tempfile::tempdir().expect("a folder");
    let (_, share) = content(&screenshot(browser, home.path(), "<p>blank</p>", 390));
    assert!(share < 0.01, "a blank page counts as content: {share}");
}

#[test]
fn the_page_holds_no_address_of_another_machine() {
    let html = exact();
    for reference in ["http:", "https:", "//cdn", "@import", " src=", "<script"] {
        assert!(!html.contains(reference), "the page holds `{reference}`");
    }
}

#[test]
fn the_page_says_what_was_measured_and_what_is_only_predicted() {
    let (measured, predicted) = (requantizing(), exact());
    assert!(measured.contains("bitlathe synth examples/digits/layer1.toml --flow xcup"));
    assert!(measured.contains("Prediction against measurement") && !measured.contains("Not measured yet"));
    assert!(predicted.contains("Not measured yet") && !predicted.contains("Prediction against measurement"));
}

/// What was measured beside the core says what it is, and no prediction of the core stands against it.
#[test]
fn a_module_or_another_choice_is_no_measurement_of_the_core() {
    let report = |kernel: &str, lut: u64| {
        let set = format!("array.kernel={kernel}");
        json!({"flow": "ecp5", "module": "mixpe_array", "set": [set], "lut": lut, "fmax_mhz": 150.5})
    };
    let html = page_with("examples/mixpe-ecp5.toml", vec![report("shared-3a", 4321), report("multiply", 9876)]);
    for (kernel, lut) in [("shared-3a", "4,321"), ("multiply", "9,876")] {
        assert!(html.contains(&format!("Measured, flow ecp5, module mixpe_array, array.kernel={kernel}<")), "{kernel}");
        let command = format!("--flow ecp5 --module mixpe_array --set array.kernel={kernel}<");
        assert!(html.contains(&command) && html.contains(lut), "{kernel}");
    }
    assert!(!html.contains("Measured, flow ecp5<"), "the core itself was not measured");
    let rows = html.split("Prediction against measurement").skip(1).flat_map(|t| t.split("</table>").next());
    assert_eq!(rows.filter(|t| t.contains(" %")).count(), 0, "nothing was predicted of these");
}

/// Blocks of rows do not make the timing diagram as long as they are.
#[test]
fn a_core_with_long_blocks_has_a_page_of_moderate_size() {
    for config in ["examples/mixpe-16x16.toml", "examples/mixpe-ecp5.toml"] {
        let html = page_with(config, vec![]);
        assert!(html.contains("beat by beat") && html.len() < 200_000, "{config}: {} bytes", html.len());
    }
}

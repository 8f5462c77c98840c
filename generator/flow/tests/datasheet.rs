//! Renders a datasheet in headless Chromium: no console message, no request, no sideways scrolling, a picture with content.

mod support;

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bitlathe_flow::generate::{Options, files};
use serde_json::{Value, json};
use support::{FakeGemm, rtl};

/// Written into a copy of the page: sends what the browser made of it to the frame around it.
const PROBE: &str = "<script>addEventListener('load', () => {
  const root = document.documentElement;
  parent.postMessage(JSON.stringify({
    inner: innerWidth,
    scroll: root.scrollWidth,
    requests: performance.getEntriesByType('resource').map(e => e.name),
    sections: document.querySelectorAll('main section').length,
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

fn page() -> String {
    let synth = json!({
        "flow": "xcup", "tool_versions": {"yosys": "0.70"}, "lut": 451, "lutram": 128, "ff": 371, "dsp": 0, "bram": 1,
        "uram": 0, "carry": 40, "lut_per_mac": 18.8, "logic_depth": 9
    });
    let options = Options { config_file: "core.toml".into(), synth: vec![synth], ..Options::default() };
    let all = files(&FakeGemm, &rtl(None), &options).expect("a core");
    all.into_iter().find(|f| f.path == "datasheet.html").expect("written").text
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
    let html = page();
    for width in [390, 1280] {
        let (found, console) = probe(browser, &html, width);
        assert_eq!(console, Vec::<String>::new(), "console at {width}");
        assert_eq!(found["inner"], width, "the frame has another width");
        assert_eq!(found["scroll"], width, "the page scrolls sideways");
        assert_eq!(found["requests"], json!([]), "requests at {width}");
        assert_eq!(found["sections"], 11);
        assert_eq!(found["unboxed"], 0, "a table or drawing that cannot scroll in its box");
        assert_eq!(found["outside"], json!([]), "texts that leave their drawing at {width}");
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
                 <script>console.error('seen')</script></body>";
    let (found, console) = probe(browser, &page().replace("</body>", extra), 390);
    assert!(found["scroll"].as_u64().is_some_and(|w| w >= 500), "{found}");
    assert_eq!(found["requests"], json!(["http://localhost:9/nowhere.png"]));
    assert_eq!(found["unboxed"], 1);
    assert!(console.iter().any(|l| l.contains("seen")), "{console:?}");
    let home = tempfile::tempdir().expect("a folder");
    let (_, share) = content(&screenshot(browser, home.path(), "<p>blank</p>", 390));
    assert!(share < 0.01, "a blank page counts as content: {share}");
}

#[test]
fn the_page_holds_no_address_of_another_machine() {
    let html = page();
    for reference in ["http:", "https:", "//cdn", "@import", " src=", "<script"] {
        assert!(!html.contains(reference), "the page holds `{reference}`");
    }
}

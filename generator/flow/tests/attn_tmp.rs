//! tmp
use bitlathe_cores::kinds;
use bitlathe_flow::tools::Tools;
#[path = "support/model.rs"]
mod model;
#[test]
fn one() {
    let tools = Tools::discover().unwrap();
    let kind = kinds().iter().find(|k| k.name() == "flash-attention").unwrap();
    let from: usize = std::env::var("FROM").map_or(0, |v| v.parse().unwrap());
    let count: usize = std::env::var("COUNT").map_or(1, |v| v.parse().unwrap());
    for c in kind.space().cover().into_iter().skip(from).take(count) {
        let core = kind.configure(&c).unwrap();
        let t = std::time::Instant::now();
        match model::check(core.as_ref(), &tools) { Ok(()) => println!("ok {:?} {c}", t.elapsed()), Err(e) => println!("FAIL {:?} {}", t.elapsed(), e.chars().take(3000).collect::<String>()) }
    }
}

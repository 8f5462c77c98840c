use bitlathe_cores::softmax::exponential::{Maximum, Stage};
use bitlathe_golden::softmax::Method;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let method = Method::ALL.into_iter().filter(|m| m.name() == a[1]).nth(a[5].parse().unwrap()).unwrap();
    let s =
        Stage::new(method, a[2].parse().ok(), Maximum::Element, a[3].parse().unwrap(), a[4].parse().unwrap()).unwrap();
    std::fs::create_dir_all(&a[6]).unwrap();
    for (p, t) in bitlathe_hdl::check(&s.module()).unwrap().files(&[]) {
        std::fs::write(format!("{}/{p}", a[6]), t).unwrap();
    }
}

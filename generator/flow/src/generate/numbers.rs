//! Numbers as a reader of the documentation sees them.

use bitlathe_spec::Dims;

/// Digits in groups of three.
pub fn grouped(value: impl Into<i128>) -> String {
    let value = value.into();
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

/// Three significant digits below 100, whole numbers from there.
pub fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => grouped(value.round() as i128),
        v if v >= 9.995 => trimmed(format!("{value:.1}")),
        v if v >= 0.001 => trimmed(format!("{value:.2}")),
        0.0 => "0".into(),
        _ => format!("{value:.1e}"),
    }
}

fn trimmed(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// A share as per cent.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        p if p >= 99.95 => format!("{p:.0} %"),
        p if p >= 0.05 || p == 0.0 => format!("{p:.1} %"),
        _ => "< 0.1 %".into(),
    }
}

/// Seconds in the unit that leaves few digits.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.2} µs", s * 1e6),
    }
}

/// Sizes such as `T = 3, K = 10`, in the given order of names.
pub fn sizes<'a>(names: impl Iterator<Item = &'a str>, dims: &Dims) -> String {
    names.filter_map(|n| dims.get(n).map(|v| format!("{n} = {v}"))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_sign_groups_and_few_digits() {
        assert_eq!(grouped(-1_234_567i64), "-1,234,567");
        assert_eq!(grouped(999u64), "999");
        assert_eq!(grouped(i64::MIN), "-9,223,372,036,854,775,808");
        let figures = [0.0, 0.0004, 0.5, 6.75, 9.996, 42.0, 99.97, 1530.4];
        assert_eq!(figures.map(figure), ["0", "4.0e-4", "0.5", "6.75", "10", "42", "100", "1,530"]);
        assert_eq!([0.0, 0.0001, 0.123, 0.9996, 1.31].map(percent), ["0.0 %", "< 0.1 %", "12.3 %", "100 %", "131 %"]);
        assert_eq!([2e-6, 1.5e-2, 3.0].map(time), ["2.00 µs", "15.00 ms", "3.00 s"]);
    }
}

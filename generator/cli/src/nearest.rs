//! The legal names or values nearest to a wrong one, for help texts.

use serde_json::Value;

/// The name that a misspelt one was probably meant to be.
pub fn nearest<'a>(wrong: &str, legal: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |s: &str| s.to_lowercase().replace(['-', '_', ' '], "");
    let wrong = plain(wrong);
    let scored = legal.into_iter().map(|l| (strsim::damerau_levenshtein(&wrong, &plain(l)), l));
    let (distance, name) = scored.min_by_key(|(d, _)| *d)?;
    let far = (wrong.chars().count().max(name.chars().count()) / 3).max(1);
    (distance <= far && distance < name.chars().count()).then_some(name)
}

/// `did you mean `x`? ` where a near name exists, then all names.
pub fn suggest<'a>(wrong: &str, legal: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let all = legal.clone().into_iter().collect::<Vec<_>>().join(", ");
    match nearest(wrong, legal) {
        Some(name) => format!("did you mean `{name}`? Legal: {all}"),
        None => format!("legal: {all}"),
    }
}

/// The values nearest to a number among legal ones: the next below and the next above.
pub fn neighbours(wrong: f64, legal: &[Value]) -> Vec<&Value> {
    let number = |v: &&Value| v.as_f64();
    let (mut below, mut above): (Option<&Value>, Option<&Value>) = (None, None);
    for value in legal.iter().filter(|v| v.is_number()) {
        let Some(n) = number(&value) else { continue };
        if n < wrong && below.as_ref().and_then(number).is_none_or(|b| n > b) {
            below = Some(value);
        }
        if n > wrong && above.as_ref().and_then(number).is_none_or(|a| n < a) {
            above = Some(value);
        }
    }
    below.into_iter().chain(above).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_misspelt_names_and_no_others() {
        assert_eq!(nearest("k_lane", ["k_lanes", "m_lanes"]), Some("k_lanes"));
        assert_eq!(nearest("HALF_EVEN", ["half-even", "half-up"]), Some("half-even"));
        assert_eq!(nearest("elephant", ["half-even", "half-up"]), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(nearest("y", ["x"]), None);
    }

    #[test]
    fn neighbours_lie_on_both_sides() {
        let legal = [json!(4), json!(8), json!(16)];
        assert_eq!(neighbours(7.0, &legal), [&json!(4), &json!(8)]);
        assert_eq!(neighbours(100.0, &legal), [&json!(16)]);
        assert!(neighbours(3.0, &[json!("a")]).is_empty());
    }
}

//! Which tensor of a model file is meant, and what to suggest when none is.

use super::error::WeightProblem;

/// Names shown in a message.
const SHOWN: usize = 5;
/// Characters of a name that are compared and shown.
const COMPARED: usize = 128;

/// The index of the named tensor, or of the only matrix when no name is given.
pub fn choose(names: &[&str], matrices: &[usize], wanted: Option<&str>) -> Result<usize, WeightProblem> {
    match (wanted, matrices) {
        (Some(name), _) => names.iter().position(|n| *n == name).ok_or_else(|| unknown(names, name)),
        (None, []) => Err(WeightProblem::NoMatrix),
        (None, [only]) => Ok(*only),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|&i| names[i]).collect();
            Err(WeightProblem::ChooseTensor { count: several.len(), names: list(&names) })
        }
    }
}

fn unknown(names: &[&str], name: &str) -> WeightProblem {
    let wanted = shortened(name);
    let mut ranked: Vec<(usize, &str)> =
        names.iter().map(|n| (strsim::levenshtein(&wanted, &shortened(n)), *n)).collect();
    ranked.sort();
    let nearest: Vec<&str> = ranked.into_iter().map(|(_, n)| n).collect();
    let nearest = match nearest.as_slice() {
        [] => "the file holds no tensors".into(),
        near => format!("the nearest names are {}", list(near)),
    };
    WeightProblem::NoTensor { name: name.into(), nearest }
}

fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{}`", shortened(n))).collect();
    shown.join(", ")
}

fn shortened(name: &str) -> String {
    name.chars().take(COMPARED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_defaults() {
        let names = ["norm", "blk.0.ffn_up.weight", "blk.1.ffn_up.weight"];
        assert_eq!(choose(&names, &[1, 2], Some("blk.1.ffn_up.weight")).unwrap(), 2);
        assert_eq!(choose(&names, &[1], None).unwrap(), 1);
        assert!(matches!(choose(&names, &[], None), Err(WeightProblem::NoMatrix)));
        let several = choose(&names, &[1, 2], None).unwrap_err().to_string();
        assert_eq!(
            several,
            "the file holds 2 matrices; name one, such as `blk.0.ffn_up.weight`, `blk.1.ffn_up.weight`"
        );
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest() {
        let names = ["norm", "blk.1.ffn_down.weight", "blk.0.ffn_up.weight"];
        let text = choose(&names, &[], Some("blk.0.ffn_upp.weight")).unwrap_err().to_string();
        assert!(
            text.starts_with("no tensor `blk.0.ffn_upp.weight`; the nearest names are `blk.0.ffn_up.weight`"),
            "{text}"
        );
        assert!(choose(&[], &[], Some("a")).unwrap_err().to_string().ends_with("the file holds no tensors"));
    }
}

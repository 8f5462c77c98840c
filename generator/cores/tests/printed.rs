//! The printed Verilog of every kind of core: what a reader may rely on, whatever the config.

use bitlathe_cores::kinds;

/// Every file of every legal pair of options, with a name for messages.
fn files() -> Vec<(String, String)> {
    let configs = kinds().iter().flat_map(|k| k.legal_pairs().into_iter().map(move |c| (k, c)));
    let files = configs.flat_map(|(kind, config)| {
        let core = kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
        let design = core.rtl().unwrap_or_else(|e| panic!("{config}: {e}"));
        design.files(&["A banner.".into()]).into_iter().map(move |(path, text)| (format!("{path} of {config}"), text))
    });
    files.collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[test]
fn lines_are_at_most_100_columns_wide_and_end_where_they_seem_to() {
    for (name, text) in files() {
        for (n, line) in text.lines().enumerate() {
            assert!(line.len() <= 100, "{name}:{}: {} columns\n{line}", n + 1, line.len());
            assert!(line.is_ascii() && !line.contains('\t') && line.trim_end() == line, "{name}:{}: {line:?}", n + 1);
        }
        assert!(!text.contains("\n\n\n"), "{name} has two blank lines in a row");
    }
}

#[test]
fn blocks_stand_two_columns_deeper_and_end_where_they_began() {
    for (name, text) in files() {
        let mut open: Vec<usize> = vec![];
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default().trim();
            if code.is_empty() || code.starts_with('`') || code == "endmodule" {
                continue;
            }
            let place = || format!("{name}:{}: {line}", n + 1);
            let ends = code.starts_with("end");
            if ends {
                let began = open.pop().unwrap_or_else(|| panic!("{} ends nothing", place()));
                assert_eq!(indent(line), began, "{}", place());
            } else if let Some(outer) = open.last() {
                assert!(indent(line) >= outer + 2 && indent(line).is_multiple_of(2), "{}", place());
            }
            let block = code.ends_with("begin") || code.contains("begin :") || code.starts_with("case (");
            if block || code == "generate" {
                open.push(indent(line));
            }
        }
        assert!(open.is_empty(), "{name} leaves a block open");
    }
}

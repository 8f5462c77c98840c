//! Refuses keywords, illegal identifiers and names used twice in a module.

use std::collections::BTreeSet;

use super::Pass;
use crate::error::{Code, Error};
use crate::module::{Item, Unit};

pub(super) const PASS: Pass = Pass { name: "names", about: "keywords, illegal identifiers, names used twice", run };

/// Reserved words of IEEE 1800-2017, which include those of Verilog-2005.
const KEYWORDS: &str = "accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins \
 binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const \
 constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge \
 else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule \
 endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect \
 export extends extern final first_match for force forever fork function generate genvar global highz0 highz1 if iff \
 ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input inside instance int \
 integer interconnect interface intersect join join_any join_none large let liblist library local localparam logic \
 longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor noshowcancelled not \
 notif0 notif1 null or output package packed parameter pmos posedge primitive priority program property protected pull0 \
 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime \
 ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime \
 s_until s_until_with scalared sequence shortint shortreal showcancelled signed small soft solve specify specparam \
 static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this \
 throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef union \
 unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait wait_order wand weak weak0 \
 weak1 while wildcard wire with within wor xnor xor";

fn run(unit: &Unit, errors: &mut Vec<Error>) {
    let d = &unit.data;
    let place = d.signals.first().map_or(std::panic::Location::caller(), |s| s.place);
    let mut seen = BTreeSet::new();
    let mut check = |name: &str, place| {
        let cause = if !legal(name) {
            format!("`{name}` is not a Verilog identifier")
        } else if KEYWORDS.split_whitespace().any(|k| k == name) {
            format!("`{name}` is a Verilog keyword")
        } else if !seen.insert(name.to_owned()) {
            format!("`{name}` is declared twice")
        } else {
            return;
        };
        let help = "choose another name: letters, digits and underscores, not a reserved word, once in a module";
        errors.push(Error { code: Code::Name, module: d.name.clone(), cause, help: help.into(), place });
    };
    check(&d.name, place);
    d.params.iter().for_each(|p| check(&p.name, place));
    d.signals.iter().for_each(|s| check(&s.name, s.place));
    d.memories.iter().for_each(|m| check(&m.name, place));
    instances(&d.items, &mut check);
}

fn instances(items: &[Item], check: &mut impl FnMut(&str, &'static std::panic::Location<'static>)) {
    for item in items {
        match item {
            Item::Instance(i) => check(&i.name, i.place),
            Item::For { items, .. } => instances(items, check),
            Item::If { items, else_items, .. } => {
                instances(items, check);
                instances(else_items, check);
            }
            _ => {}
        }
    }
}

fn legal(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

//! What memories take on a family: sites of distributed memory, blocks of block memory.

use bitlathe_spec::Family;

fn up(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

/// Sites of a distributed memory with one write port and `ports` read ports: the cheapest of the shapes that the vendor's
/// cells offer.
pub fn distributed_sites(family: Family, ports: i64, width: i64, depth: i64) -> f64 {
    let sites = match family {
        // RAM32M16 as fourteen bits or as seven ports of two, RAM32M as three ports of two.
        Family::Xcup if depth <= 32 => {
            let octal = up(ports, 7) * up(width, 2) * 8;
            let wide = ports * up(width, 14) * 8;
            octal.min(wide).min(up(ports, 3) * up(width, 2) * 4)
        }
        Family::Xcup | Family::Xc7 if depth > 32 => {
            let shared = up(ports, 7) * width * 8;
            let wide = ports * up(width, 7) * 8;
            let select = if depth > 64 { ports * width } else { 0 };
            up(depth, 64) * shared.min(wide) + select
        }
        Family::Xc7 | Family::Xcup => (up(ports, 3) * up(width, 2) * 4).min(ports * up(width, 6) * 4),
        // DPR16X4: four sites for sixteen words of four bits, and a multiplexer between the sixteens.
        Family::Ecp5 => ports * (up(depth, 16) * up(width, 4) * 4 + if depth > 16 { width * up(depth, 32) } else { 0 }),
        // No distributed memory: flip-flops and multiplexers.
        Family::Ice40 => ports * width * depth / 2 + depth * width / 2,
    };
    sites as f64
}

/// Block memory of a width and depth in the family's blocks; UltraScale+ and 7 series use them by halves.
pub fn blocks(family: Family, width: i64, depth: i64) -> f64 {
    let (word, words) = match family {
        Family::Xcup | Family::Xc7 | Family::Ecp5 => (36, 512),
        Family::Ice40 => (16, 256),
    };
    // Deeper memories use the blocks in a narrower shape.
    let shrink = up(depth, words).max(1).unsigned_abs().next_power_of_two() as i64;
    let n = if shrink <= word { up(width, (word / shrink).max(1)) } else { up(width, 1) * up(depth, words * word) };
    if matches!(family, Family::Xcup | Family::Xc7) { n as f64 / 2.0 } else { n as f64 }
}

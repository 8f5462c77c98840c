//! Lays the block diagram out: columns by distance from the inputs, rows by where the neighbours are.

use std::collections::HashMap;

use bitlathe_cores::Block;
use bitlathe_spec::{Dir, Interface};
use bitlathe_templates::datasheet::{Diagram, DiagramBox, DiagramEdge};

const GAP_X: u32 = 46;
const GAP_Y: u32 = 22;
const MARGIN: u32 = 4;
const LINE: u32 = 15;
/// Characters in a line of a box's detail.
const WRAP: usize = 19;

/// A box, or a bend of an arrow that passes a column (no name).
struct Node {
    name: String,
    lines: Vec<String>,
    stream: bool,
    column: usize,
    width: u32,
    height: u32,
    x: u32,
    y: u32,
}

struct Graph {
    nodes: Vec<Node>,
    /// Arrows through bends: node indices from source to target.
    chains: Vec<Vec<usize>>,
    /// Arrows against the flow.
    feedback: Vec<(usize, usize)>,
}

/// The drawing of a core's blocks between its streams.
pub fn diagram(interface: &Interface, blocks: &[Block]) -> Diagram {
    let mut graph = graph(interface, blocks);
    let columns = order(&mut graph);
    let (width, height) = place(&mut graph, &columns);
    let below = if graph.feedback.is_empty() { 0 } else { 30 };
    let mut edges = draw_chains(&graph);
    edges.extend(graph.feedback.iter().map(|&(from, to)| draw_feedback(&graph, from, to, height + 16)));
    Diagram {
        width,
        height: height + below,
        min_width: width * 4 / 5,
        description: describe(&graph),
        boxes: graph.nodes.iter().filter(|n| !n.name.is_empty()).map(draw_box).collect(),
        edges,
    }
}

fn graph(interface: &Interface, blocks: &[Block]) -> Graph {
    let mut graph = Graph { nodes: Vec::new(), chains: Vec::new(), feedback: Vec::new() };
    let mut index: HashMap<&str, usize> = HashMap::new();
    for (n, block) in blocks.iter().enumerate() {
        let output = interface.stream(&block.name).is_some_and(|s| s.dir == Dir::Out);
        graph.nodes.push(node(&block.name, wrap(&block.detail), output));
        index.insert(&block.name, n);
    }
    let mut edges = Vec::new();
    for (to, block) in blocks.iter().enumerate() {
        for from in &block.from {
            match index.get(from.as_str()) {
                Some(&source) if source >= to && source < blocks.len() => graph.feedback.push((source, to)),
                Some(&source) => edges.push((source, to)),
                None => {
                    index.insert(from, graph.nodes.len());
                    edges.push((graph.nodes.len(), to));
                    graph.nodes.push(source_node(interface, from));
                }
            }
        }
    }
    add_outputs(&mut graph, &mut edges, interface, blocks);
    set_columns(&mut graph, &edges, blocks.len());
    bend(&mut graph, &edges);
    graph
}

fn node(name: &str, lines: Vec<String>, stream: bool) -> Node {
    let longest = lines.iter().map(|l| l.chars().count() as u32 * 63 / 10).max().unwrap_or(0);
    let title = name.chars().count() as u32 * 83 / 10;
    let height = if stream && lines.is_empty() { 30 } else { 32 + LINE * lines.len() as u32 };
    let width = if stream { title + 24 } else { (longest.max(title) + 22).max(84) };
    Node { name: name.into(), lines, stream, column: 0, width, height, x: 0, y: 0 }
}

fn source_node(interface: &Interface, name: &str) -> Node {
    node(name, Vec::new(), interface.stream(name).is_some())
}

/// Output streams that no block is named after are fed by the blocks that feed nothing else.
fn add_outputs(graph: &mut Graph, edges: &mut Vec<(usize, usize)>, interface: &Interface, blocks: &[Block]) {
    let ends: Vec<usize> = (0..blocks.len()).filter(|n| !edges.iter().any(|(from, _)| from == n)).collect();
    for stream in interface.streams.iter().filter(|s| s.dir == Dir::Out) {
        if blocks.iter().all(|b| b.name != stream.name) {
            let output = graph.nodes.len();
            graph.nodes.push(node(&stream.name, Vec::new(), true));
            edges.extend(ends.iter().map(|&end| (end, output)));
        }
    }
}

/// Blocks and outputs stand one column behind their last feeder; inputs directly before the first block that they feed.
fn set_columns(graph: &mut Graph, edges: &[(usize, usize)], blocks: usize) {
    let is_fed = |n: usize| edges.iter().any(|(_, to)| *to == n);
    for n in (0..blocks).chain((blocks..graph.nodes.len()).filter(|&n| is_fed(n))) {
        let feeders = edges.iter().filter(|(_, to)| *to == n).map(|(from, _)| graph.nodes[*from].column);
        graph.nodes[n].column = feeders.max().unwrap_or(0) + 1;
    }
    for n in (blocks..graph.nodes.len()).filter(|&n| !is_fed(n)) {
        let fed = edges.iter().filter(|(from, _)| *from == n).map(|(_, to)| graph.nodes[*to].column);
        graph.nodes[n].column = fed.min().unwrap_or(1) - 1;
    }
}

/// Splits arrows that pass columns into chains with a bend in each of those columns.
fn bend(graph: &mut Graph, edges: &[(usize, usize)]) {
    for &(from, to) in edges {
        let mut chain = vec![from];
        for column in graph.nodes[from].column + 1..graph.nodes[to].column {
            chain.push(graph.nodes.len());
            graph.nodes.push(Node {
                name: String::new(),
                lines: Vec::new(),
                stream: false,
                column,
                width: 0,
                height: 2,
                x: 0,
                y: 0,
            });
        }
        chain.push(to);
        graph.chains.push(chain);
    }
}

/// Nodes of each column from top to bottom: a few sweeps towards the mean position of the neighbours.
fn order(graph: &mut Graph) -> Vec<Vec<usize>> {
    let last = graph.nodes.iter().map(|n| n.column).max().unwrap_or(0);
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); last + 1];
    for (n, node) in graph.nodes.iter().enumerate() {
        columns[node.column].push(n);
    }
    let links: Vec<(usize, usize)> =
        graph.chains.iter().flat_map(|c| c.windows(2).map(|w| (w[0], w[1])).collect::<Vec<_>>()).collect();
    for sweep in 0..6 {
        let mut place: HashMap<usize, f64> = HashMap::new();
        for column in &columns {
            let middle = (column.len() as f64 - 1.0) / 2.0;
            place.extend(column.iter().enumerate().map(|(y, &n)| (n, y as f64 - middle)));
        }
        let forward = sweep % 2 == 0;
        let mean = |n: usize| {
            let near: Vec<f64> = links
                .iter()
                .filter_map(|&(a, b)| match forward {
                    true => (b == n).then(|| place[&a]),
                    false => (a == n).then(|| place[&b]),
                })
                .collect();
            if near.is_empty() { place[&n] } else { near.iter().sum::<f64>() / near.len() as f64 }
        };
        for column in &mut columns {
            column.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)));
        }
    }
    columns
}

fn place(graph: &mut Graph, columns: &[Vec<usize>]) -> (u32, u32) {
    let height_of = |column: &[usize]| {
        let boxes: u32 = column.iter().map(|&n| graph.nodes[n].height).sum();
        boxes + GAP_Y * (column.len().max(1) as u32 - 1)
    };
    let height = columns.iter().map(|c| height_of(c)).max().unwrap_or(0);
    let tops: Vec<u32> = columns.iter().map(|c| MARGIN + (height - height_of(c)) / 2).collect();
    let mut x = MARGIN;
    for (column, top) in columns.iter().zip(tops) {
        let width = column.iter().map(|&n| graph.nodes[n].width).max().unwrap_or(0);
        let mut y = top;
        for &n in column {
            let node = &mut graph.nodes[n];
            if !node.stream {
                node.width = width;
            }
            node.x = x + (width - node.width) / 2;
            node.y = y;
            y += node.height + GAP_Y;
        }
        x += width + GAP_X;
    }
    (x - GAP_X + MARGIN, height + 2 * MARGIN)
}

fn draw_box(node: &Node) -> DiagramBox {
    let name_y = node.y + if node.stream && node.lines.is_empty() { 20 } else { 21 };
    let lines = node.lines.iter().zip(1..).map(|(l, n)| (name_y + LINE * n + 1, l.clone())).collect();
    DiagramBox {
        x: node.x,
        y: node.y,
        width: node.width,
        height: node.height,
        middle: node.x + node.width / 2,
        stream: node.stream,
        name_y,
        name: node.name.clone(),
        lines,
    }
}

/// Arrows as smooth lines; those that end in one box spread over its left side.
fn draw_chains(graph: &Graph) -> Vec<DiagramEdge> {
    let centre = |n: usize| graph.nodes[n].y + graph.nodes[n].height / 2;
    let before = |chain: &[usize]| chain.len().checked_sub(2).map_or(0, |n| centre(chain[n]));
    graph
        .chains
        .iter()
        .map(|chain| {
            let target = chain[chain.len() - 1];
            let mut entering: Vec<(u32, &Vec<usize>)> =
                graph.chains.iter().filter(|c| c.last() == Some(&target)).map(|c| (before(c), c)).collect();
            entering.sort_by_key(|(y, _)| *y);
            let rank = entering.iter().position(|(_, c)| std::ptr::eq(*c, chain)).unwrap_or(0) as u32;
            let node = &graph.nodes[target];
            let end_y = node.y + node.height * (rank + 1) / (entering.len() as u32 + 1);
            let start = &graph.nodes[chain[0]];
            let mut path = format!("M{} {}", start.x + start.width, centre(chain[0]));
            let mut at = (start.x + start.width, centre(chain[0]));
            for &n in &chain[1..] {
                let next = &graph.nodes[n];
                let y = if n == target { end_y } else { centre(n) };
                let bend = (at.0 + next.x) / 2;
                path += &format!("C{bend} {} {bend} {y} {} {y}", at.1, next.x);
                at = (next.x + next.width, y);
                if next.name.is_empty() && next.width > 0 {
                    path += &format!("H{}", at.0);
                }
            }
            DiagramEdge { path, feedback: false }
        })
        .collect()
}

/// An arrow against the flow, below all boxes.
fn draw_feedback(graph: &Graph, from: usize, to: usize, below: u32) -> DiagramEdge {
    let (source, target) = (&graph.nodes[from], &graph.nodes[to]);
    let start = (source.x + source.width * 2 / 3, source.y + source.height);
    let end = (target.x + target.width / 3, target.y + target.height);
    let path = format!("M{} {}V{below}H{}V{}", start.0, start.1, end.0, end.1);
    DiagramEdge { path, feedback: true }
}

/// The arrows in words, for readers who do not see the drawing.
fn describe(graph: &Graph) -> String {
    let name = |n: usize| graph.nodes[n].name.as_str();
    let forward = graph.chains.iter().map(|c| (c[0], c[c.len() - 1]));
    let arrows: Vec<String> =
        forward.chain(graph.feedback.iter().copied()).map(|(a, b)| format!("{} feeds {}", name(a), name(b))).collect();
    format!("Block diagram: {}.", arrows.join("; "))
}

/// Words in lines of at most [`WRAP`] characters, where no word is longer.
fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WRAP => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(name: &str, from: &[&str]) -> Block {
        let from = from.iter().map(|f| f.to_string()).collect();
        Block { name: name.into(), detail: "a detail that takes more than one line".into(), from }
    }

    #[test]
    fn boxes_stay_apart_and_inside_and_feedback_is_marked() {
        let interface =
            Interface { top: "t".into(), sizes: vec![], tensors: vec![], streams: vec![], registers: vec![] };
        let blocks = [
            block("a", &["x"]),
            block("b", &["a", "w"]),
            block("c", &["b", "c"]),
            block("d", &["c", "a", "zp"]),
            block("b2", &["d", "b"]),
        ];
        let d = diagram(&interface, &blocks);
        assert_eq!(d.boxes.len(), 8);
        assert_eq!(d.edges.iter().filter(|e| e.feedback).count(), 1, "only c feeds itself");
        for (n, a) in d.boxes.iter().enumerate() {
            assert!(a.x + a.width <= d.width && a.y + a.height <= d.height, "{} leaves the drawing", a.name);
            for b in &d.boxes[n + 1..] {
                let apart =
                    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
                assert!(apart, "{} and {} overlap", a.name, b.name);
            }
        }
        assert!(d.description.contains("w feeds b;"), "{}", d.description);
    }
}

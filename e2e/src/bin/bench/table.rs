//! The table, row by row as the figures come.

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    More,
    Less,
}

pub struct Row {
    case: String,
    figure: String,
    better: Direction,
}

pub fn head() {
    println!("| case | figure | upstream | taffrail | ratio | |");
    println!("|---|---|---|---|---|---|");
}

impl Row {
    pub fn new(case: &str, figure: &str, better: Direction) -> Self {
        Self {
            case: case.to_owned(),
            figure: figure.to_owned(),
            better,
        }
    }

    pub fn print(&self, [upstream, taffrail]: [f64; 2]) {
        let ratio = taffrail / upstream;
        let is_better = if self.better == Direction::More {
            ratio > 1.0
        } else {
            ratio < 1.0
        };
        let mark = if is_better { "better" } else { "" };
        let (upstream, taffrail) = (number(upstream), number(taffrail));
        println!(
            "| {} | {} | {upstream} | {taffrail} | {ratio:.2} | {mark} |",
            self.case, self.figure
        );
    }
}

/// Three digits are all that these figures are worth.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

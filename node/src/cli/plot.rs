//! The speed-ups of a comparison as a picture: one row a workload, one mark an executor, on a logarithmic scale, since
//! the executors are up to a hundred times apart. The SVG stands by itself and follows the reader's light or dark mode.

use std::fmt::Write;

use weft_node::compare::{Comparison, Figures};

use super::svg::{Axis, COLOURS, escaped};

/// Lengths in pixels.
const NAMES: f64 = 180.0;
const SCALE: f64 = 660.0;
const MARGIN: f64 = 24.0;
const ROW: f64 = 26.0;
const LEGEND_ROW: f64 = 20.0;
const TITLE: f64 = 64.0;
const WIDTH: f64 = NAMES + SCALE + MARGIN;

/// Executors that stand beside each other in the legend.
const LEGEND_COLUMNS: usize = 3;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .faint { fill: #59636e } .title { font-weight: 600 }
.back { fill: #ffffff } .band { fill: #818b981f } line { stroke: #818b9866 } .one { stroke: #1f2328 }
.bound { stroke: #d1242f; stroke-width: 2 } .end { text-anchor: end } .middle { text-anchor: middle }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc } .faint { fill: #9198a1 } .back { fill: #0d1117 }
.one { stroke: #f0f6fc } .bound { stroke: #f85149 } }";

/// The exponents that the scale spans at least: from a half to 2.
const LEAST: [f64; 2] = [-1.0, 1.0];

/// The scale of the speed-ups, wide enough for all.
fn scale(comparisons: &[Comparison]) -> Axis {
    let drawn = comparisons.iter().flat_map(|comparison| {
        let speed_ups = comparison.figures.iter().map(|figures| figures.speed_up);
        speed_ups.chain(std::iter::once(comparison.bound))
    });
    Axis::over(drawn, LEAST, NAMES, NAMES + SCALE)
}

/// What is shown: everybody but sequential execution, which is the line at 1.
fn shown(comparison: &Comparison) -> impl Iterator<Item = (usize, &Figures)> {
    comparison.figures.iter().skip(1).enumerate()
}

/// A plot of all comparisons, as the text of an SVG file.
pub(super) fn speed_ups(comparisons: &[Comparison], threads: usize, signed: bool) -> String {
    let executors = comparisons.first().map_or(0, |first| shown(first).count());
    let legend_rows = (executors + 1).div_ceil(LEGEND_COLUMNS) as f64;
    let top = TITLE + legend_rows * LEGEND_ROW;
    let bottom = top + comparisons.len() as f64 * ROW;
    let mut plot = Plot { svg: String::new(), scale: scale(comparisons), top, bottom };
    plot.begin(threads, signed);
    plot.legend(comparisons.first());
    plot.names(comparisons);
    plot.powers();
    plot.marks(comparisons);
    plot.svg.push_str("</svg>\n");
    plot.svg
}

/// A plot as far as it is drawn: what comes later lies on top.
struct Plot {
    svg: String,
    scale: Axis,
    /// Where the rows of the workloads begin and end.
    top: f64,
    bottom: f64,
}

impl Plot {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        writeln!(self.svg, "{text}").expect("writing to a string cannot fail");
    }

    /// The workloads, each with where its row begins.
    fn rows<'c>(&self, comparisons: &'c [Comparison]) -> impl Iterator<Item = (f64, &'c Comparison)> + use<'c> {
        let top = self.top;
        comparisons.iter().enumerate().map(move |(row, comparison)| (top + row as f64 * ROW, comparison))
    }

    /// What says what all of it is, and the background.
    fn begin(&mut self, threads: usize, signed: bool) {
        let height = self.bottom + 40.0;
        let what = if signed { "execution and signatures" } else { "execution alone" };
        self.line(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">"#
        ));
        self.line(format_args!("<title>Speed-up over sequential execution</title>\n<style>\n{STYLE}\n</style>"));
        self.line(format_args!(r#"<rect class="back" width="{WIDTH}" height="{height}"/>"#));
        self.line(format_args!(
            r#"<text class="title" x="{MARGIN}" y="28">Times as fast as sequential, {what}, {threads} threads</text>"#
        ));
        self.line(format_args!(
            r#"<text class="faint" x="{MARGIN}" y="47">logarithmic; every executor gave the sequential result</text>"#
        ));
    }

    /// Whose mark is which, and at the end the bound.
    fn legend(&mut self, first: Option<&Comparison>) {
        let place = |at: usize| {
            let (column, row) = (at % LEGEND_COLUMNS, at / LEGEND_COLUMNS);
            (MARGIN + column as f64 * 280.0, TITLE + row as f64 * LEGEND_ROW)
        };
        let mut executors = 0;
        for (at, figures) in first.into_iter().flat_map(shown) {
            let (x, y) = place(at);
            let (mark, name) = (mark(at, x + 6.0, y), escaped(&figures.executor));
            self.line(format_args!(r#"{mark}<text x="{}" y="{}">{name}</text>"#, x + 18.0, y + 4.5));
            executors = at + 1;
        }
        let (x, y) = place(executors);
        self.line(format_args!(
            r#"<line class="bound" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text x="{3}" y="{4}">critical-path bound</text>"#,
            x + 6.0,
            y - 7.0,
            y + 7.0,
            x + 18.0,
            y + 4.5
        ));
    }

    /// The workloads' names, every other one on a band.
    fn names(&mut self, comparisons: &[Comparison]) {
        for (row, (y, comparison)) in self.rows(comparisons).enumerate() {
            if row % 2 == 0 {
                self.line(format_args!(r#"<rect class="band" x="0" y="{y}" width="{WIDTH}" height="{ROW}"/>"#));
            }
            let name = escaped(&comparison.workload);
            self.line(format_args!(r#"<text class="end" x="{}" y="{}">{name}</text>"#, NAMES - 12.0, y + 17.5));
        }
    }

    /// A line at each power of two, with its value below.
    fn powers(&mut self) {
        let (top, bottom) = (self.top, self.bottom);
        for exponent in self.scale.exponents() {
            let x = self.scale.at(f64::from(exponent).exp2());
            let (class, label) = if exponent == 0 { ("one", "1".to_owned()) } else { ("grid", tick(exponent)) };
            self.line(format_args!(r#"<line class="{class}" x1="{x:.1}" x2="{x:.1}" y1="{top}" y2="{bottom}"/>"#));
            self.line(format_args!(r#"<text class="middle faint" x="{x:.1}" y="{}">{label}</text>"#, bottom + 18.0));
        }
    }

    /// The bound of each workload, and the mark of each executor.
    fn marks(&mut self, comparisons: &[Comparison]) {
        for (y, comparison) in self.rows(comparisons) {
            let x = self.scale.at(comparison.bound);
            let (above, below) = (y + 4.0, y + ROW - 4.0);
            self.line(format_args!(r#"<line class="bound" x1="{x:.1}" x2="{x:.1}" y1="{above}" y2="{below}"/>"#));
            for (at, figures) in shown(comparison).filter(|(_, figures)| figures.speed_up > 0.0) {
                let hint = format!("{}, {}: {:.2}", comparison.workload, figures.executor, figures.speed_up);
                let (mark, hint) = (mark(at, self.scale.at(figures.speed_up), y + ROW / 2.0), escaped(&hint));
                self.line(format_args!("<g><title>{hint}</title>{mark}</g>"));
            }
        }
    }
}

/// Two to the power of `exponent`, as people write it.
fn tick(exponent: i32) -> String {
    let power = exponent.unsigned_abs().min(63);
    format!("{}{}", if exponent < 0 { "1/" } else { "" }, 1_u64 << power)
}

/// The mark of an executor: colour and shape both tell it from the others.
fn mark(executor: usize, x: f64, y: f64) -> String {
    let colour = COLOURS[executor % COLOURS.len()];
    match executor % 4 {
        0 => format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="5" fill="{colour}"/>"#),
        1 => format!(r#"<rect x="{:.1}" y="{:.1}" width="9" height="9" fill="{colour}"/>"#, x - 4.5, y - 4.5),
        2 => format!(r#"<path d="M{:.1} {:.1}l5.5 10h-11z" fill="{colour}"/>"#, x, y - 5.5),
        _ => format!(r#"<path d="M{:.1} {:.1}l6 6l-6 6l-6 -6z" fill="{colour}"/>"#, x, y - 6.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(workload: &str, bound: f64, speed_ups: &[f64]) -> Comparison {
        let figures = speed_ups.iter().enumerate().map(|(at, speed_up)| Figures {
            executor: format!("executor <{at}>"),
            milliseconds: 1.0,
            per_second: 1.0,
            speed_up: *speed_up,
            of_bound: speed_up / bound,
            cores: 1.0,
            core_micros: 1.0,
            executions: 1.0,
            validations: 0.0,
            batches: 0,
            peak_bytes: None,
        });
        let figures = figures.collect();
        Comparison { workload: workload.to_owned(), transactions: 10, bound, digest: String::new(), figures }
    }

    #[test]
    fn every_executor_has_its_mark_in_every_row_and_in_the_legend() {
        let comparisons =
            [comparison("first", 2.0, &[1.0, 0.01, 0.5, 1.5]), comparison("second", 1.0, &[1.0, 3.9, 1.0, 0.2])];
        let svg = speed_ups(&comparisons, 2, true);
        for at in 1..4 {
            assert_eq!(svg.matches(&format!(">executor &lt;{at}&gt;<")).count(), 1, "in the legend");
            assert_eq!(svg.matches(&format!(", executor &lt;{at}&gt;: ")).count(), 2, "in each row");
        }
        assert!(!svg.contains("executor &lt;0&gt;"), "sequential is the line at 1");
        assert_eq!(svg.matches("<circle").count(), 3, "one shape for each executor");
        assert!(svg.contains("second, executor &lt;1&gt;: 3.90"));
        assert_eq!(svg.matches("class=\"bound\"").count(), 3);
        // 0.01 is above 2^-7, 3.9 below 2^2.
        assert!(svg.contains(">1/128<") && svg.contains(">4<") && !svg.contains(">8<") && !svg.contains(">1/256<"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn nothing_compared_is_an_empty_plot() {
        let svg = speed_ups(&[], 2, false);
        assert!(svg.contains("execution alone, 2 threads") && !svg.contains("<circle"));
    }
}

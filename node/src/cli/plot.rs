//! The speed-ups of a comparison as a picture: one row a workload, one mark an executor, on a logarithmic scale, since
//! the executors are up to a hundred times apart. The SVG stands by itself and follows the reader's light or dark mode.

use std::fmt::Write;

use weft_node::compare::{Comparison, Figures};

/// Lengths in pixels.
const NAMES: f64 = 180.0;
const SCALE: f64 = 660.0;
const MARGIN: f64 = 24.0;
const ROW: f64 = 26.0;
const LEGEND_ROW: f64 = 20.0;
const TITLE: f64 = 64.0;

/// Colours that also readers who confuse some can tell apart, on white and on black (Okabe and Ito's).
const COLOURS: [&str; 8] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#999933"];

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .faint { fill: #59636e } .title { font-weight: 600 }
.back { fill: #ffffff } .band { fill: #818b981f } line { stroke: #818b9866 } .one { stroke: #1f2328 }
.bound { stroke: #d1242f; stroke-width: 2 } .end { text-anchor: end } .middle { text-anchor: middle }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc } .faint { fill: #9198a1 } .back { fill: #0d1117 }
.one { stroke: #f0f6fc } .bound { stroke: #f85149 } }";

/// The scale: powers of two, wide enough for all.
struct Scale {
    lowest: f64,
    highest: f64,
}

impl Scale {
    fn of(comparisons: &[Comparison]) -> Self {
        let shown = comparisons.iter().flat_map(|comparison| {
            let speed_ups = comparison.figures.iter().map(|figures| figures.speed_up);
            speed_ups.chain(std::iter::once(comparison.bound))
        });
        let (lowest, highest) = shown
            .filter(|speed_up| speed_up.is_finite() && *speed_up > 0.0)
            .map(f64::log2)
            .fold((-1.0_f64, 1.0_f64), |(lowest, highest), at| (lowest.min(at), highest.max(at)));
        Self { lowest: lowest.floor(), highest: highest.ceil() }
    }

    fn x(&self, speed_up: f64) -> f64 {
        NAMES + SCALE * (speed_up.log2() - self.lowest) / (self.highest - self.lowest)
    }

    fn powers(&self) -> impl Iterator<Item = i32> + use<> {
        self.lowest as i32..=self.highest as i32
    }
}

/// What is shown: everybody but sequential execution, which is the line at 1.
fn shown(comparison: &Comparison) -> impl Iterator<Item = (usize, &Figures)> {
    comparison.figures.iter().skip(1).enumerate()
}

/// A plot of all comparisons, as the text of an SVG file.
pub(super) fn speed_ups(comparisons: &[Comparison], threads: usize, signed: bool) -> String {
    let scale = Scale::of(comparisons);
    let executors = comparisons.first().map_or(0, |first| shown(first).count());
    let legend_rows = (executors + 1).div_ceil(3) as f64;
    let top = TITLE + legend_rows * LEGEND_ROW;
    let bottom = top + comparisons.len() as f64 * ROW;
    let (width, height) = (NAMES + SCALE + MARGIN, bottom + 40.0);
    let what = if signed { "execution and signatures" } else { "execution alone" };
    let mut svg = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(svg, "{text}").expect("a string takes everything");
    line(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">"#
    ));
    line(format_args!("<title>Speed-up over sequential execution</title>\n<style>\n{STYLE}\n</style>"));
    line(format_args!(r#"<rect class="back" width="{width}" height="{height}"/>"#));
    line(format_args!(
        r#"<text class="title" x="{MARGIN}" y="28">Times as fast as sequential, {what}, {threads} threads</text>"#
    ));
    line(format_args!(
        r#"<text class="faint" x="{MARGIN}" y="47">logarithmic; every executor gave the sequential result</text>"#
    ));
    let legend_place = |at: usize| (MARGIN + (at % 3) as f64 * 280.0, TITLE + (at / 3) as f64 * LEGEND_ROW);
    for (at, figures) in comparisons.first().into_iter().flat_map(shown) {
        let (x, y) = legend_place(at);
        let (mark, name) = (mark(at, x + 6.0, y), escaped(&figures.executor));
        line(format_args!(r#"{mark}<text x="{}" y="{}">{name}</text>"#, x + 18.0, y + 4.5));
    }
    let (x, y) = legend_place(executors);
    line(format_args!(
        r#"<line class="bound" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text x="{3}" y="{4}">critical-path bound</text>"#,
        x + 6.0,
        y - 7.0,
        y + 7.0,
        x + 18.0,
        y + 4.5
    ));
    for (row, comparison) in comparisons.iter().enumerate() {
        let y = top + row as f64 * ROW;
        if row % 2 == 0 {
            line(format_args!(r#"<rect class="band" x="0" y="{y}" width="{width}" height="{ROW}"/>"#));
        }
        let name = escaped(&comparison.workload);
        line(format_args!(r#"<text class="end" x="{}" y="{}">{name}</text>"#, NAMES - 12.0, y + 17.5));
    }
    for power in scale.powers() {
        let x = scale.x(f64::from(power).exp2());
        let (class, label) = if power == 0 { ("one", "1".to_owned()) } else { ("grid", tick(power)) };
        line(format_args!(r#"<line class="{class}" x1="{x:.1}" x2="{x:.1}" y1="{top}" y2="{bottom}"/>"#));
        line(format_args!(r#"<text class="middle faint" x="{x:.1}" y="{}">{label}</text>"#, bottom + 18.0));
    }
    for (row, comparison) in comparisons.iter().enumerate() {
        let y = top + row as f64 * ROW;
        let x = scale.x(comparison.bound);
        line(format_args!(r#"<line class="bound" x1="{x:.1}" x2="{x:.1}" y1="{}" y2="{}"/>"#, y + 4.0, y + ROW - 4.0));
        for (at, figures) in shown(comparison).filter(|(_, figures)| figures.speed_up > 0.0) {
            let hint = format!("{}, {}: {:.2}", comparison.workload, figures.executor, figures.speed_up);
            let (mark, hint) = (mark(at, scale.x(figures.speed_up), y + ROW / 2.0), escaped(&hint));
            line(format_args!("<g><title>{hint}</title>{mark}</g>"));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// `2^power`, as people write it.
fn tick(power: i32) -> String {
    if power < 0 {
        format!("1/{}", 1_u64 << power.unsigned_abs().min(63))
    } else {
        format!("{}", 1_u64 << power.min(63))
    }
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

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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
    fn marks_stand_where_the_scale_says() {
        let scale = Scale::of(&[comparison("any", 2.0, &[1.0, 0.25, f64::NAN])]);
        assert_eq!([scale.lowest, scale.highest], [-2.0, 1.0]);
        assert_eq!([0.25, 0.5, 2.0].map(|speed_up| scale.x(speed_up)), [NAMES, NAMES + SCALE / 3.0, NAMES + SCALE]);
    }

    #[test]
    fn nothing_compared_is_an_empty_plot() {
        let svg = speed_ups(&[], 2, false);
        assert!(svg.contains("execution alone, 2 threads") && !svg.contains("<circle"));
    }
}

//! The curves of `weft simulate` as a picture: speed-up over cores, both on logarithmic axes, each workload with its bound.

use std::fmt::Write;

use weft_node::simulate::{Curve, Point};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 500.0;

/// Colours that people with any kind of colour vision can tell apart (Okabe and Ito), from the eighth curve on again.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// The powers of two that an axis spans.
struct Axis {
    from: f64,
    to: f64,
    begin: f64,
    end: f64,
}

impl Axis {
    /// Spans all values, from one power of two to another one.
    fn over(values: impl Iterator<Item = f64>, begin: f64, end: f64) -> Self {
        let (mut from, mut to) = (0.0f64, 1.0f64);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            from = from.min(value.log2().floor());
            to = to.max(value.log2().ceil());
        }
        Self { from, to, begin, end }
    }

    fn at(&self, value: f64) -> f64 {
        let along = (value.max(f64::MIN_POSITIVE).log2() - self.from) / (self.to - self.from);
        self.begin + (self.end - self.begin) * along
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.from as i32..=self.to as i32).map(|power| 2f64.powi(power))
    }
}

/// A picture of the curves.
pub(super) fn svg(curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let cores = Axis::over(points().map(|point| point.cores as f64), LEFT, RIGHT);
    let speed = Axis::over(points().flat_map(|point| [point.speed_up, point.bound]), BOTTOM, TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<title>Speed-up over simulated cores</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    // Writing to a string cannot fail.
    let _ = axes(&mut svg, &cores, &speed);
    for (at, curve) in curves.iter().enumerate() {
        let _ = draw(&mut svg, at, curve, &cores, &speed);
    }
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String, cores: &Axis, speed: &Axis) -> std::fmt::Result {
    for tick in cores.ticks() {
        let x = cores.at(tick);
        writeln!(svg, "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"#ddd\"/>")?;
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>", BOTTOM + 20.0)?;
    }
    for tick in speed.ticks() {
        let y = speed.at(tick);
        writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"#ddd\"/>")?;
        writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}×</text>", LEFT - 8.0, y + 4.0)?;
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    writeln!(svg, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">simulated cores</text>", BOTTOM + 42.0)?;
    writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">times as fast as sequential; dashed: the bound</text>", TOP - 16.0)
}

fn draw(svg: &mut String, number: usize, curve: &Curve, cores: &Axis, speed: &Axis) -> std::fmt::Result {
    let colour = COLOURS[number % COLOURS.len()];
    let line = |height: &dyn Fn(&Point) -> f64| {
        let at = |point: &Point| format!("{:.1},{:.1}", cores.at(point.cores as f64), speed.at(height(point)));
        curve.points.iter().map(at).collect::<Vec<_>>().join(" ")
    };
    let (bound, reached) = (line(&|point| point.bound), line(&|point| point.speed_up));
    writeln!(svg, "<polyline points=\"{bound}\" fill=\"none\" stroke=\"{colour}\" stroke-dasharray=\"4 4\"/>")?;
    writeln!(svg, "<polyline points=\"{reached}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>")?;
    for point in &curve.points {
        let (x, y) = (cores.at(point.cores as f64), speed.at(point.speed_up));
        let (name, speed_up) = (&curve.workload, point.speed_up);
        writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"><title>{name}, {} cores: {speed_up:.2}×</title>\
             </circle>",
            point.cores
        )?;
    }
    let y = TOP + 10.0 + 22.0 * number as f64;
    writeln!(svg, "<path d=\"M{} {}h24\" stroke=\"{colour}\" stroke-width=\"2\"/>", RIGHT + 20.0, y - 4.0)?;
    writeln!(svg, "<text x=\"{}\" y=\"{y}\">{}</text>", RIGHT + 52.0, curve.workload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_goes_from_power_to_power() {
        let axis = Axis::over([3.0, 100.0].into_iter(), 0.0, 70.0);
        assert_eq!(axis.ticks().collect::<Vec<_>>(), [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);
        assert_eq!([axis.at(1.0), axis.at(8.0), axis.at(128.0)], [0.0, 30.0, 70.0]);
        let slow = Axis::over([0.3].into_iter(), 0.0, 1.0);
        assert_eq!(slow.ticks().collect::<Vec<_>>(), [0.25, 0.5, 1.0, 2.0]);
    }
}

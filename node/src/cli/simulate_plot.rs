//! The curves of `weft simulate` as a picture: speed-up over cores, both on logarithmic axes, each workload with its bound.

use std::fmt::Write;

use weft_node::simulate::{Curve, Point};

use super::svg::{Axis, COLOURS, escaped};

/// Lengths and places in pixels.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 500.0;

/// The exponents that both axes span at least: from 1 to 2.
const LEAST: [f64; 2] = [0.0, 1.0];

/// A picture of the curves.
pub(super) fn svg(curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let cores = Axis::over(points().map(|point| point.cores as f64), LEAST, LEFT, RIGHT);
    let speed = Axis::over(points().flat_map(|point| [point.speed_up, point.bound]), LEAST, BOTTOM, TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<title>Speed-up over simulated cores</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let mut drawn = axes(&mut svg, &cores, &speed);
    for (at, curve) in curves.iter().enumerate() {
        drawn = drawn.and_then(|()| draw(&mut svg, at, curve, &cores, &speed));
    }
    drawn.expect("writing to a string cannot fail");
    svg.push_str("</svg>\n");
    svg
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from(exponent).exp2()
}

fn axes(svg: &mut String, cores: &Axis, speed: &Axis) -> std::fmt::Result {
    for tick in cores.exponents().map(power_of_two) {
        let x = cores.at(tick);
        writeln!(svg, "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"#ddd\"/>")?;
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>", BOTTOM + 20.0)?;
    }
    for tick in speed.exponents().map(power_of_two) {
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
        let (name, speed_up) = (escaped(&curve.workload), point.speed_up);
        writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"><title>{name}, {} cores: {speed_up:.2}×</title>\
             </circle>",
            point.cores
        )?;
    }
    let y = TOP + 10.0 + 22.0 * number as f64;
    writeln!(svg, "<path d=\"M{} {}h24\" stroke=\"{colour}\" stroke-width=\"2\"/>", RIGHT + 20.0, y - 4.0)?;
    writeln!(svg, "<text x=\"{}\" y=\"{y}\">{}</text>", RIGHT + 52.0, escaped(&curve.workload))
}

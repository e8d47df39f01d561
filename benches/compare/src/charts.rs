//! Curves as SVG: lines over a logarithmic or plain axis, drawn by a few lines of text and no library.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;
use crate::measure::shown;

/// A chart.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Curve {
    /// Its file, without the ending.
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) across: &'static str,
    pub(crate) up: &'static str,
    /// Whether steps across are of tenfold.
    pub(crate) is_log: bool,
    pub(crate) series: Vec<(String, Vec<(f64, f64)>)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
/// Left, right, top, bottom.
const MARGIN: (f64, f64, f64, f64) = (76.0, 24.0, 44.0, 56.0);
/// Apart for eyes that see fewer colours too (Okabe and Ito).
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"];

/// Writes each chart into the folder.
pub(crate) fn draw(folder: &Path, curves: &[Curve]) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(Failure::io("make", folder))?;
    for curve in curves {
        let path = folder.join(format!("{}.svg", curve.name));
        fs::write(&path, curve.svg()).map_err(Failure::io("write", &path))?;
    }
    Ok(())
}

/// So many places across get a number each.
const FEW: usize = 6;

/// From the smallest to the largest value across, and from zero to a round number above the largest up.
struct Scale {
    from: f64,
    to: f64,
    top: f64,
    is_log: bool,
    /// Where points are, if these are few.
    places: Vec<f64>,
}

impl Scale {
    fn of(curve: &Curve) -> Self {
        let points = || curve.series.iter().flat_map(|(_, points)| points);
        let from = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
        let to = points().map(|point| point.0).fold(f64::NEG_INFINITY, f64::max);
        let most = points().map(|point| point.1).fold(0.0, f64::max);
        let mut places: Vec<f64> = points().map(|point| point.0).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        places.truncate(FEW + 1);
        Self { from, to, top: round_up(most), is_log: curve.is_log, places }
    }

    fn x(&self, value: f64) -> f64 {
        let place = |value: f64| if self.is_log { value.max(1.0).log10() } else { value };
        let width = (place(self.to) - place(self.from)).max(1e-9);
        MARGIN.0 + (place(value) - place(self.from)) / width * (WIDTH - MARGIN.0 - MARGIN.1)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - MARGIN.3 - value / self.top * (HEIGHT - MARGIN.2 - MARGIN.3)
    }

    /// Places across that get a number.
    fn ticks(&self) -> Vec<f64> {
        if self.places.len() <= FEW {
            return self.places.clone();
        }
        if !self.is_log {
            return (0..=4).map(|part| self.from + (self.to - self.from) * f64::from(part) / 4.0).collect();
        }
        let all = (0..12).map(|power| 10_f64.powi(power));
        all.filter(|tick| (self.from..=self.to).contains(tick)).collect()
    }
}

/// The next of 1, 2, 5, 10, 20, ...
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= value).unwrap_or(value)
}

impl Curve {
    fn svg(&self) -> String {
        let scale = Scale::of(self);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
        );
        text(&mut svg, (WIDTH / 2.0, 24.0), "middle", &self.title);
        self.grid(&mut svg, &scale);
        for ((name, points), (place, colour)) in self.series.iter().zip(COLOURS.iter().enumerate()) {
            line(&mut svg, &scale, points, colour);
            let at = (MARGIN.0 + 12.0, MARGIN.2 + 16.0 + 18.0 * place as f64);
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>",
                at.0,
                at.1 - 10.0
            );
            text(&mut svg, (at.0 + 16.0, at.1), "start", name);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn grid(&self, svg: &mut String, scale: &Scale) {
        for part in 0..=4 {
            let value = scale.top * f64::from(part) / 4.0;
            let y = scale.y(value);
            let (left, right) = (MARGIN.0, WIDTH - MARGIN.1);
            let _ = writeln!(svg, "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#cccccc\"/>");
            text(svg, (left - 8.0, y + 4.0), "end", &number(value));
        }
        for tick in scale.ticks() {
            text(svg, (scale.x(tick), HEIGHT - MARGIN.3 + 20.0), "middle", &number(tick));
        }
        text(svg, (WIDTH / 2.0, HEIGHT - 14.0), "middle", self.across);
        text(svg, (8.0, MARGIN.2 - 14.0), "start", self.up);
    }
}

fn line(svg: &mut String, scale: &Scale, points: &[(f64, f64)], colour: &str) {
    let places: Vec<String> =
        points.iter().map(|(x, y)| format!("{:.1},{:.1}", scale.x(*x), scale.y(*y))).collect();
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
        places.join(" ")
    );
    for (x, y) in points {
        let (x, y) = (scale.x(*x), scale.y(*y));
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222222\">{text}</text>"
    );
}

fn number(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{}M", trimmed(value / 1e6)),
        _ if value >= 1e3 => format!("{}k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { shown(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_its_points_in_order_and_within_its_frame() {
        let curve = Curve {
            name: "x",
            title: "a < b".to_owned(),
            across: "records",
            up: "ns",
            is_log: true,
            series: vec![("one".to_owned(), vec![(1e3, 5.0), (1e4, 7.0), (1e6, 9.0)])],
        };
        let svg = curve.svg();
        assert!(svg.contains("a &lt; b"));
        // A third of the way across is the tenfold step of three; 10 stands at the top.
        assert!(svg.contains("points=\"76.0,194.0 282.7,134.0 696.0,74.0\""), "{svg}");
        // Few places: each has its number.
        assert!([">1k<", ">10k<", ">1M<"].iter().all(|number| svg.contains(number)), "{svg}");
        assert_eq!([0.3, 2.0, 2.1, 70.0].map(round_up), [0.5, 2.0, 5.0, 100.0]);
    }
}

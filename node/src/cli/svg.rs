//! What the pictures of `weft compare` and `weft simulate` have in common.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::CliError;

/// Colours that also readers who confuse some can tell apart, on white and on black: six of Okabe and Ito's, and two more.
pub(super) const COLOURS: [&str; 8] =
    ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#999933"];

/// A file for a picture that is drawn when all is measured.
#[derive(Debug)]
pub(super) struct PictureFile {
    file: File,
    path: PathBuf,
}

impl PictureFile {
    /// Makes the file. One that cannot be written is found out now, not after the measuring.
    pub(super) fn create(path: &Path) -> Result<Self, CliError> {
        let file = File::create(path).map_err(|error| in_file(path, &error))?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub(super) fn write(mut self, picture: &str) -> Result<(), CliError> {
        Ok(self.file.write_all(picture.as_bytes()).map_err(|error| in_file(&self.path, &error))?)
    }
}

fn in_file(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// A logarithmic axis, from one power of two to another one.
#[derive(Debug)]
pub(super) struct Axis {
    /// The exponents at both ends.
    lowest: f64,
    highest: f64,
    /// Where the ends are, in pixels.
    begin: f64,
    end: f64,
}

impl Axis {
    /// Spans all `values` that have a place on it, those above 0 and finite, and at least the powers of two with the
    /// exponents `least`, of which there are two different ones.
    pub(super) fn over(values: impl Iterator<Item = f64>, least: [f64; 2], begin: f64, end: f64) -> Self {
        let [mut lowest, mut highest] = least;
        for exponent in values.filter(|value| value.is_finite() && *value > 0.0).map(f64::log2) {
            lowest = lowest.min(exponent.floor());
            highest = highest.max(exponent.ceil());
        }
        Self { lowest, highest, begin, end }
    }

    /// The place of a value, in pixels.
    pub(super) fn at(&self, value: f64) -> f64 {
        let exponent = value.max(f64::MIN_POSITIVE).log2();
        self.begin + (self.end - self.begin) * (exponent - self.lowest) / (self.highest - self.lowest)
    }

    /// The exponents of all powers of two on it.
    pub(super) fn exponents(&self) -> impl Iterator<Item = i32> + use<> {
        self.lowest as i32..=self.highest as i32
    }
}

/// `text` as it stands between tags.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places<const N: usize>(axis: &Axis, values: [f64; N]) -> [f64; N] {
        values.map(|value| axis.at(value))
    }

    #[test]
    fn an_axis_goes_from_power_to_power() {
        let axis = Axis::over([3.0, 100.0].into_iter(), [0.0, 1.0], 0.0, 70.0);
        assert_eq!(axis.exponents().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(places(&axis, [1.0, 8.0, 128.0]), [0.0, 30.0, 70.0]);
        let slow = Axis::over([0.3].into_iter(), [0.0, 1.0], 0.0, 1.0);
        assert_eq!(slow.exponents().collect::<Vec<_>>(), [-2, -1, 0, 1]);
    }

    #[test]
    fn what_is_no_value_widens_no_axis() {
        let axis = Axis::over([1.0, 0.25, f64::NAN, f64::INFINITY, 0.0, -8.0].into_iter(), [-1.0, 1.0], 10.0, 70.0);
        assert_eq!(axis.exponents().collect::<Vec<_>>(), [-2, -1, 0, 1]);
        assert_eq!(places(&axis, [0.25, 0.5, 2.0]), [10.0, 30.0, 70.0]);
    }

    #[test]
    fn what_means_something_between_tags_is_escaped() {
        assert_eq!(escaped("a<b> & c"), "a&lt;b&gt; &amp; c");
    }
}

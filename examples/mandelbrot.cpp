#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "image/png.hpp"
#include "mandelbrot_kernel.hpp"
#include "program/command_line.hpp"
#include "program/sha256.hpp"

/// @file
/// The Mandelbrot set: for each pixel, how often z = z^2 + c is updated until |z| > 2. One job gives the picture and
/// its totals. Neighbouring pixels differ by the whole range, so equal shares of the picture are unequal work.

/// A part of the complex plane as pixels. Row 0 lies at y0; pixels are taken at their centres.
struct region {
  std::int64_t width = 512;
  std::int64_t height = 512;
  double x0 = -2, x1 = 1;
  double y0 = -1.5, y1 = 1.5;
  std::uint32_t iterations = 256;
  friend bool operator==(const region&, const region&) = default;
};

// What is known of region{}. Compiled with contraction off (fastgpu::strict_fp): a fused multiply-add moves the total.
constexpr escape_totals answer{12'455'666, 44'334};

FASTGPU_REGISTER("example.mandelbrot", count_updates)

/// @throws program::usage_error
void check(const region& r)
{
  constexpr std::int64_t pixels_max = std::int64_t{1} << 28;
  if (r.width > pixels_max / r.height) throw program::usage_error{"--width, --height: expected at most 2^28 pixels"};
  const auto check_side = [](double from, double to, const char* names) {
    if (from < to && std::isfinite(to - from)) return;
    throw program::usage_error{std::string{names} + ": expected finite numbers, the first below the second"};
  };
  check_side(r.x0, r.x1, "--x0, --x1");
  check_side(r.y0, r.y1, "--y0, --y1");
}

/// Black inside, outside from blue over yellow to red as the count grows; the larger y on top.
image::picture<image::rgb> paint(const region& r, const std::vector<std::uint32_t>& counts)
{
  image::picture<image::rgb> picture{{{r.height, r.width}}};
  const auto level = [](double share) { return static_cast<std::uint8_t>(std::lround(255 * share)); };
  auto pixel = picture.pixels.begin();
  for (auto row = r.height; row-- > 0;) {
    for (std::int64_t column = 0; column < r.width; ++column, ++pixel) {
      const auto count = counts[static_cast<std::size_t>(row * r.width + column)];
      const double t = std::sqrt(static_cast<double>(count) / r.iterations);
      const double s = 1 - t;
      *pixel = {level(9 * s * t * t * t), level(15 * s * s * t * t), level(8.5 * s * s * s * t)};
    }
  }
  return picture;
}

bool run(program::session& s, const region& r, const std::string& out)
{
  check(r);
  if (!out.empty()) program::check_writable(out);

  std::vector<std::uint32_t> counts(static_cast<std::size_t>(r.width * r.height));
  const count_updates kernel{r.x0, r.y0, (r.x1 - r.x0) / static_cast<double>(r.width),
                             (r.y1 - r.y0) / static_cast<double>(r.height), r.iterations};
  const auto job = fastgpu::make_job(s.space(fastgpu::extents<2>{{r.height, r.width}}), kernel,
                                     fastgpu::gather(fastgpu::matrix(counts.data(), r.height, r.width)),
                                     fastgpu::reduced(escape_sum{}));
  const escape_totals t = s.run(job).get();

  static_assert(std::endian::native == std::endian::little, "the hash is taken over little-endian bytes");
  program::sha256 hash;
  hash.add(t.total).add(t.inside).add_bytes(counts.data(), counts.size() * sizeof counts[0]);
  s.set_result_hash(hash.hex());
  s.fields = {{"total", t.total}, {"inside", t.inside}, {"verified", nullptr}};
  s.print("Mandelbrot " + std::to_string(r.width) + " x " + std::to_string(r.height) + ": " +
          std::to_string(t.total) + " updates, " + std::to_string(t.inside) + " pixels inside");
  if (!out.empty()) image::write_png(out, paint(r, counts));

  if (r != region{}) {
    s.print("no answer is known for this picture");
    return true;
  }
  const bool verified = t == answer;
  s.fields["verified"] = verified;
  s.print(verified ? "VERIFIED" : "NOT VERIFIED");
  return verified;
}

int main(int argc, char** argv)
{
  program::command_line line{"mandelbrot", "The Mandelbrot set as a picture; the answer is known for the default one"};
  region r;
  std::string out;
  const auto side = CLI::Range(1, 1'000'000);        // what a PNG file takes
  const auto iterations = CLI::Range(1, 16'777'216);  // keeps the total below 2^53
  line.app().add_option("--width", r.width, "Pixels in a row")->check(side)->capture_default_str();
  line.app().add_option("--height", r.height, "Rows")->check(side)->capture_default_str();
  line.app().add_option("--x0", r.x0, "Left edge")->capture_default_str();
  line.app().add_option("--x1", r.x1, "Right edge")->capture_default_str();
  line.app().add_option("--y0", r.y0, "Lower edge")->capture_default_str();
  line.app().add_option("--y1", r.y1, "Upper edge")->capture_default_str();
  line.app().add_option("--iterations", r.iterations, "Updates at most")->check(iterations)->capture_default_str();
  line.app().add_option("--out", out, "Write the picture as PNG");
  return line.run(argc, argv, [&](program::session& s) { return run(s, r, out); });
}

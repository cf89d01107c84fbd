#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "image/operation.hpp"
#include "image/png.hpp"
#include "image/registrations.hpp"
#include "program/command_line.hpp"
#include "program/sha256.hpp"

/// @file
/// Filters a picture by a chain of operations, each of them one or more jobs over tiles.

/// Runs the kernels of an operation as jobs.
class jobs {
 public:
  explicit jobs(program::session& s) : session_{s} {}

  [[nodiscard]] fastgpu::extents<2> tile(fastgpu::extents<2> size) const
  {
    const auto first = session_.space(size).shape();
    return {{first.dimensions[0].size, first.dimensions[1].size}};
  }

  template <class Kernel, class In, class... Out>
  void slices(const Kernel& kernel, const image::picture<In>& in, int halo, fastgpu::border edge,
              image::picture<Out>&... out)
  {
    session_.run(fastgpu::make_job(session_.space(in.size), kernel, fastgpu::slices(matrix_of(in), halo, edge),
                                   fastgpu::gather(matrix_of(out))...));
  }

  template <class Kernel, class In, class Out>
  void whole(const Kernel& kernel, const image::picture<In>& in, image::picture<Out>& out)
  {
    session_.run(fastgpu::make_job(session_.space(out.size), kernel, fastgpu::broadcast(matrix_of(in)),
                                   fastgpu::gather(matrix_of(out))));
  }

  template <class Kernel, class In, class Out>
  void tiles(const Kernel& kernel, const image::picture<In>& in, image::picture<Out>& out)
  {
    session_.run(fastgpu::make_job(session_.space(out.size), kernel, fastgpu::slices(matrix_of(in)),
                                   fastgpu::gather(matrix_of(out))));
  }

 private:
  template <class Picture>
  static auto matrix_of(Picture& picture)
  {
    return fastgpu::matrix(picture.pixels.data(), picture.size[0], picture.size[1]);
  }

  program::session& session_;
};

std::string sha256_of(std::span<const std::byte> bytes)
{
  return program::sha256{}.add_bytes(bytes.data(), bytes.size()).hex();
}

boost::json::object gradient(const image::planes<std::int16_t>& plane)
{
  return {{"sum_abs", image::sum_abs_of(plane)}, {"sha256", sha256_of(image::bytes_of(plane))}};
}

/// What the JSON says of one operation.
boost::json::object report_of(const image::operation& operation, const image::outcome& done)
{
  boost::json::object report{{"op", operation.text},
                             {"sum", image::sum_of(done.result)},
                             {"sha256", sha256_of(image::bytes_of(done.result))}};
  if (done.sum_unrounded) report["sum_unrounded"] = *done.sum_unrounded;
  if (done.gx) report["gx"] = gradient(*done.gx);
  if (done.gy) report["gy"] = gradient(*done.gy);
  if (done.edges) report["edges"] = *done.edges;
  return report;
}

bool run(program::session& s, const std::string& in, const std::string& out, const std::vector<image::operation>& chain)
{
  if (!out.empty()) program::check_writable(out);
  boost::json::array operations;
  const auto result = image::apply(std::span{chain}, image::read_png(in), jobs{s},
                                   [&](const image::operation& operation, const image::outcome& done) {
                                     operations.push_back(report_of(operation, done));
                                     s.print(operation.text + ": sum " + std::to_string(image::sum_of(done.result)));
                                   });
  if (!out.empty()) image::write_png(out, result);
  std::visit(
      [&]<class Pixel>(const image::picture<Pixel>& picture) {
        s.fields = {{"width", picture.size[1]},
                    {"height", picture.size[0]},
                    {"channels", image::channels<Pixel>},
                    {"operations", operations}};
      },
      result);
  s.set_result_hash(sha256_of(image::bytes_of(result)));
  return true;
}

int main(int argc, char** argv)
{
  program::command_line line{"image_filter", "Filters a picture, 8-bit grey or RGB, by a chain of operations"};
  std::string in;
  std::string out;
  std::vector<std::string> texts;
  line.app().add_option("--in", in, "The picture, a PNG file")->required();
  line.app().add_option("--out", out, "The result, a PNG file");
  line.app()
      .add_option("--op", texts,
                  "NAME:key=value,... and so on in order: mean:size=, gaussian:size=,sigma=, sobel, "
                  "canny:low=,high=,norm=l1|l2, dilate|erode|open|close:size=,shape=rect|cross, "
                  "resize:factor=,method=nearest|bilinear, rotate:angle=, flip:axis=h|v")
      ->required()
      ->allow_extra_args(false);
  return line.run(argc, argv, [&](program::session& s) {
    std::vector<image::operation> chain;
    for (const auto& text : texts) {
      try {
        chain.push_back(image::parse_operation(text));
      } catch (const std::invalid_argument& e) {
        throw program::usage_error{e.what()};
      }
    }
    return run(s, in, out, chain);
  });
}

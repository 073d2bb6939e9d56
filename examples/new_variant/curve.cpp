// SPDX-License-Identifier: MIT
#include "curve.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace new_variant {
namespace {

constexpr double width = 720, height = 400, left = 60, right = 20, top = 50, bottom = 50;

std::string number(double value, int digits = 1) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}
std::string label(double x, double y, const std::string& anchor, const std::string& text) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" + text + "</text>\n";
}
std::string line(double x1, double y1, double x2, double y2, const std::string& style) {
  return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) +
         "\" " + style + "/>\n";
}

}  // namespace

std::string draw(const std::string& title, const std::vector<Curve>& curves) {
  double highest = 1;
  std::size_t steps = 2;
  for (const Curve& curve : curves) {
    for (const double loss : curve.losses) highest = std::max(highest, loss);
    steps = std::max(steps, curve.losses.size());
  }
  highest = std::ceil(highest);
  const auto x_of = [&](double step) { return left + step / double(steps - 1) * (width - left - right); };
  const auto y_of = [&](double loss) { return height - bottom - loss / highest * (height - top - bottom); };

  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(width, 0) + " " +
                    number(height, 0) + "\" font-family=\"sans-serif\" font-size=\"13\">\n" +
                    "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n" + label(width / 2, 24, "middle", title);
  for (int loss = 0; loss <= int(highest); ++loss)
    svg += line(left, y_of(loss), width - right, y_of(loss), "stroke=\"#ddd\"") +
           label(left - 8, y_of(loss) + 4, "end", number(loss, 0));
  for (int i = 0; i <= 4; ++i) {
    const double step = double(steps - 1) * i / 4;
    svg += label(x_of(step), height - bottom + 20, "middle", number(step, 0));
  }
  svg += label((left + width - right) / 2, height - 10, "middle", "step") +
         label(left, top - 12, "start", "loss, bits a byte");
  // The second lies on the first: thin and dashed on a broad line.
  constexpr std::array styles{"stroke=\"#8ab4e8\" stroke-width=\"6\"",
                              "stroke=\"#b03030\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\""};
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const std::string style = styles[i % styles.size()];
    std::string points;
    for (std::size_t step = 0; step < curves[i].losses.size(); ++step)
      points += number(x_of(double(step))) + "," + number(y_of(curves[i].losses[step])) + " ";
    svg += "<polyline fill=\"none\" " + style + " points=\"" + points + "\"/>\n";
    const double y = top + 8 + 20 * double(i);
    svg += line(width - 330, y, width - 290, y, style) + label(width - 280, y + 4, "start", curves[i].label);
  }
  return svg + "</svg>\n";
}

}  // namespace new_variant

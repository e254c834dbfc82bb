"""A line chart with logarithmic axes as SVG, without any library."""
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 440, 70, 200, 40, 50
COLOURS = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#555555", "#16a085"]


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def decades(values):
    """Exponents of the powers of ten around the values."""
    low = math.floor(math.log10(min(values)))
    return low, max(low + 1, math.ceil(math.log10(max(values)) - 1e-9))


def power(exponent):
    return format(10 ** exponent, ",") if 0 <= exponent <= 3 else "%g" % 10 ** exponent if exponent > -4 and exponent < 0 else "10^%d" % exponent


def chart(title, x_title, y_title, series):
    """series: (name, [(x, y)]), every x and y above zero; those without points are left out."""
    series = [(name, points) for name, points in series if points]
    x_low, x_high = decades([x for _, points in series for x, _ in points])
    y_low, y_high = decades([y for _, points in series for _, y in points])
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x_at(x):
        return LEFT + (math.log10(x) - x_low) / (x_high - x_low) * plot_width

    def y_at(y):
        return TOP + (1 - (math.log10(y) - y_low) / (y_high - y_low)) * plot_height

    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="%d" y="22" font-size="15">%s</text>' % (LEFT, escape(title))]
    for e in range(x_low, x_high + 1):
        x = x_at(10.0 ** e)
        out.append('<path d="M%.1f %d V%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (
            x, TOP, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 18, power(e)))
    for e in range(y_low, y_high + 1):
        y = y_at(10.0 ** e)
        out.append('<path d="M%d %.1f H%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>' % (
            LEFT, y, WIDTH - RIGHT, LEFT - 6, y + 4, power(e)))
    out.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' % (LEFT + plot_width / 2, HEIGHT - 12, escape(x_title)))
    out.append('<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>' % (TOP + plot_height / 2, escape(y_title)))
    for i, (name, points) in enumerate(series):
        colour = COLOURS[i % len(COLOURS)]
        line = " ".join("%.1f,%.1f" % (x_at(x), y_at(y)) for x, y in points)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (line, colour))
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x_at(x), y_at(y), colour) for x, y in points]
        out.append('<text x="%d" y="%d" fill="%s">%s</text>' % (WIDTH - RIGHT + 12, TOP + 12 + 18 * i, colour, escape(name)))
    return "\n".join(out + ["</svg>"]) + "\n"

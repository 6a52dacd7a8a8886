// The 16 AHA segments as a bull's-eye: base outside, apex inside.

const RINGS = [[1, 6, 1, 0.68], [7, 6, 0.68, 0.4], [13, 4, 0.4, 0.14]];
// First segment, number of segments, outer and inner radius.

function colour(share) {
  const stops = [[38, 62, 120], [56, 132, 158], [120, 190, 150], [240, 214, 120]];
  const at = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(at)), part = at - i;
  return `rgb(${stops[i].map((from, k) => Math.round(from + (stops[i + 1][k] - from) * part)).join(",")})`;
}

export function drawBullseye(canvas, plot) {
  const side = 190, ratio = devicePixelRatio || 1, radius = side / 2 - 4;
  canvas.width = canvas.height = side * ratio;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, (side / 2) * ratio, (side / 2) * ratio);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = "11px system-ui, sans-serif";
  const range = Math.max(plot.high - plot.low, 1e-6);
  for (const [first, count, outer, inner] of RINGS) {
    const turn = (2 * Math.PI) / count;
    // Segment 1 (and 7) is anterior, centred at the top; they follow counter-clockwise. The apical ring starts there, too.
    for (let k = 0; k < count; k++) {
      const value = plot.values[first + k - 1];
      const middle = -Math.PI / 2 - k * turn;
      context.beginPath();
      context.arc(0, 0, outer * radius, middle - turn / 2, middle + turn / 2);
      context.arc(0, 0, inner * radius, middle + turn / 2, middle - turn / 2, true);
      context.closePath();
      context.fillStyle = value === null ? "#1a242b" : colour((value - plot.low) / range);
      context.fill();
      context.strokeStyle = "#0b1014";
      context.lineWidth = 2;
      context.stroke();
      const r = ((outer + inner) / 2) * radius;
      context.fillStyle = value === null ? "#9db0bc" : (value - plot.low) / range > 0.55 ? "#0b1014" : "#fff";
      context.fillText(value === null ? "–" : value.toFixed(plot.unit === "%" ? 0 : 1), r * Math.cos(middle), r * Math.sin(middle));
    }
  }
}

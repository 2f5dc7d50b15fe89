/** 16-bit floats: IEEE half (float16) and bfloat16 (the upper half of a float32), to the nearest even. */
const view = new DataView(new ArrayBuffer(4))

function float32Bits(value: number): number {
  view.setFloat32(0, value)
  return view.getUint32(0)
}

function fromFloat32Bits(bits: number): number {
  view.setUint32(0, bits >>> 0)
  return view.getFloat32(0)
}

export function toBFloat16(value: number): number {
  const bits = float32Bits(value)
  if ((bits & 0x7f80_0000) === 0x7f80_0000) return (bits >>> 16) | ((bits & 0xffff) === 0 ? 0 : 0x40)
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff
}

export function fromBFloat16(bits: number): number {
  return fromFloat32Bits(bits << 16)
}

export function toFloat16(value: number): number {
  const bits = float32Bits(value)
  const sign = (bits >>> 16) & 0x8000
  const absolute = bits & 0x7fff_ffff
  if (absolute >= 0x7f80_0000) return sign | (absolute > 0x7f80_0000 ? 0x7e00 : 0x7c00)
  if (absolute >= 0x4780_0000) return sign | 0x7c00
  // Below 2^-14 a half is subnormal: steps of 2^-24, which the multiplication makes whole numbers.
  if (absolute < 0x3880_0000) return sign | roundHalfEven(Math.abs(fromFloat32Bits(absolute)) * 2 ** 24)
  return sign | ((absolute - 0x3800_0000 + 0x0fff + ((absolute >>> 13) & 1)) >>> 13)
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

export function fromFloat16(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1
  const exponent = (bits >>> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

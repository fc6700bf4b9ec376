"""The look of the page: one style sheet, light and dark, and for paper."""

from __future__ import annotations

from typing import Final

CSS: Final = """
:root { color-scheme: light dark; --ground: #ffffff; --text: #1c1f23; --dim: #5b626b;
  --grid: #e2e5e9; --box: #f5f6f8; --c0: #0060a8; --c1: #b8500a; --c2: #00785a; --mark: #8a4fa0;
  --full: #003f73; --reduced: #4c96cf; --carried: #a9d0ec; --model: #7fbf9f; --carry: #e8b54a;
  --nofix: #c9cdd2; --bad: #b00020; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --text: #e6e8eb; --dim: #9aa3ad;
  --grid: #2d3238; --box: #1d2126; --c0: #6db6f2; --c1: #f2a15e; --c2: #53c9a3; --mark: #c794dc;
  --full: #9cd0fb; --reduced: #4c96cf; --carried: #2a5d86; --model: #4f9f7a; --carry: #d29a2a;
  --nofix: #3c434b; --bad: #ff7a8a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 60px; max-width: 1120px; background: var(--ground);
  color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 44px 0 6px; padding-top: 12px; border-top: 2px solid var(--grid); }
h3 { font-size: 16px; margin: 26px 0 4px; }
p { margin: 6px 0 10px; max-width: 76ch; }
.dim, figcaption { color: var(--dim); font-size: 13px; }
nav a { margin-right: 14px; }
a { color: var(--c0); }
figure { margin: 12px 0 8px; }
svg { width: 100%; height: auto; display: block; font: 12px system-ui, Arial, sans-serif; }
svg text { fill: var(--text); }
svg .tick { text-anchor: end; fill: var(--dim); }
svg .time { text-anchor: middle; fill: var(--dim); }
svg .name { text-anchor: end; font-size: 11px; }
svg .unit, svg .outside { fill: var(--dim); }
svg .number { text-anchor: middle; fill: var(--mark); font-weight: 600; }
svg .grid { stroke: var(--grid); fill: none; }
svg .axis { stroke: var(--dim); fill: none; }
svg .mark { stroke: var(--mark); stroke-dasharray: 3 3; fill: none; }
svg .band { fill: var(--c1); fill-opacity: .18; stroke: var(--c1); stroke-opacity: .6; }
svg .line { fill: none; stroke-width: 2; }
svg .thin { stroke-width: 1.3; stroke-dasharray: 5 3; }
svg .lead { fill: none; stroke-width: 1; opacity: .6; }
svg path.c0 { stroke: var(--c0); } svg text.c0 { fill: var(--c0); }
svg path.c1 { stroke: var(--c1); } svg text.c1 { fill: var(--c1); }
svg path.c2 { stroke: var(--c2); } svg text.c2 { fill: var(--c2); }
.FULL { fill: var(--full); background: var(--full); }
.REDUCED { fill: var(--reduced); background: var(--reduced); }
.CARRIED_INPUT { fill: var(--carried); background: var(--carried); }
.MODEL { fill: var(--model); background: var(--model); }
.CARRY { fill: var(--carry); background: var(--carry); }
.NO_FIX { fill: var(--nofix); background: var(--nofix); }
.key span { display: inline-block; width: 14px; height: 12px; margin: 0 5px 0 14px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin: 8px 0; width: 100%; }
th { text-align: left; color: var(--dim); font-weight: 600; }
th, td { padding: 3px 10px 3px 0; border-bottom: 1px solid var(--grid); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.k { white-space: nowrap; }
summary { cursor: pointer; color: var(--dim); font-size: 13px; }
.no { color: var(--bad); font-weight: 600; }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 14px 0; }
.tiles div { background: var(--box); padding: 8px 14px; border-radius: 6px; min-width: 150px; }
.tiles b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; }
.tiles i { font-style: normal; color: var(--dim); font-size: 12px; }
@media print { :root { --ground: #fff; --text: #000; --dim: #444; --grid: #bbb; --box: #fff; }
  body { max-width: none; padding: 0; font-size: 11px; } nav { display: none; }
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  details > *:not(summary) { display: block; }
  details::details-content { content-visibility: visible; block-size: auto; }
  summary { list-style: none; } .wide { overflow: visible; } table { font-size: 9px; } }
"""

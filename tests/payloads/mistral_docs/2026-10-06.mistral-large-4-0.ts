import { StaticModel } from '../schema';
export default {
  name: 'Mistral Large 4',
  describe: (l) => ({
    description: l.text(`A model; it's {general}, [open].`, { context: 'Full description' }),
  }),
  slug: 'mistral-large-4-0',
  slugAliases: ['mistral-large', 'mistral-large-4'],
  releaseDate: '2026-10-06',
  status: 'PublicPreview',
  weights: [{ name: 'Coming soon', minGpuRam: { bf16: null } }],
  ratings: {
    speed: 5.0,
    performance: 4.0, input: 4.0, output: 2.0 },
  pricing: {
    type: 'custom',
    free: false,
    input: [
      { type: 'range', price: 0.68, denominator: '/M Tokens', label: 'Input', originalPrice: 1.36 },
      { type: 'range', price: 0.07, denominator: '/M Tokens', label: 'Cached input', originalPrice: 0.14 },
    ],
    output: [
      { type: 'range', price: 2.09, denominator: '/M Tokens', label: 'Output', originalPrice: 4.18 },
    ],
  },
  identifiers: { apiNames: ['mistral-large-4', 'mistral-large-4-0'] },
  capabilities: {
    input: ['text', 'image'],
    output: ['reasoning', 'text'],
  },
  playground: undefined,
  legacy: false,
} as const satisfies StaticModel;

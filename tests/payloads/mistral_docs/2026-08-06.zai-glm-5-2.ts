import { StaticModel } from '../schema';

export default {
  name: 'Z.ai GLM 5.2',
  slug: 'zai-glm-5-2',
  status: 'PublicPreview',
  pricing: {
    type: 'custom',
    free: false,
    input: [
      { type: 'range', price: 1.4, priceEur: 1.19, denominator: '/M Tokens', label: 'Input' },
      { type: 'range', price: 0.26, priceEur: 0.22, denominator: '/M Tokens', label: 'Cached input' },
    ],
    output: [
      { type: 'range', price: 4.4, priceEur: 3.74, denominator: '/M Tokens', label: 'Output' },
    ],
  },
  capabilities: {
    input: ['text'],
    output: ['text'],
  },
} as const satisfies StaticModel;

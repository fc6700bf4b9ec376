import { StaticModel } from '../schema';
export default {
  name: 'Voxtral Small',
  slug: 'voxtral-small-25-07',
  status: 'GA',
  pricing: {
    type: 'custom',
    free: false,
    input: [
      { type: 'range', price: 0.004, denominator: '/Min' },
      { type: 'flat', price: 0.1, denominator: '/M Tokens' }
    ],
    output: [
      { type: 'range', price: 0.3, denominator: '/M Tokens' }
    ]
  },
  capabilities: { input: ['audio', 'text'], output: ['text'] },
} as const satisfies StaticModel;

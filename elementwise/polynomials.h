// polynomials.h -- the polynomials behind the vector functions; printed by tools/minimax.py.
#pragma once

namespace rt::cpu {

/// Coefficients from the lowest to the highest; with each what it stands for, and the largest
/// error relative to that.
// clang-format off
template <class T>
struct Polynomials;

template <>
struct Polynomials<float> {
  /// e^r = 1 + r + r^2 P(r); 2^-28.3
  static constexpr float kExp[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558fp-5f, 0x1.1239ecp-7f,
      0x1.6a25bep-10f};
  /// 2 atanh(s) = 2 s + s^3 P(s^2); 2^-29.4
  static constexpr float kLog[] = {0x1.55557ap-1f, 0x1.995ac6p-2f, 0x1.327374p-2f};
  /// erf(x) = x + x P(x^2), |x| < 1; 2^-29.6
  static constexpr float kErfNear[] = {0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2cf8p-4f,
      -0x1.b7f90ep-6f, 0x1.5405b2p-8f, -0x1.a3f7p-11f, 0x1.496a34p-14f};
  /// -log(1 - erf(x)) = P(x - 1), 1 <= x; 2^-26.8
  static constexpr float kErfFar[] = {0x1.d97fcp+0f, 0x1.51c9a2p+1f, 0x1.afaeb8p-1f, 0x1.53c4ccp-5f,
      -0x1.44855ap-7f, 0x1.f20f66p-10f, -0x1.039ac2p-12f, 0x1.06c5bap-16f};
  /// log(erfc(t / sqrt 2) / 2) = P(t), 0 <= t <= 6; times the root of erfc; 2^-26.8
  static constexpr float kHalfErfc[] = {-0x1.62e43p-1f, -0x1.988466p-1f, -0x1.45f196p-2f,
      -0x1.29d4e6p-5f, 0x1.3be0d8p-8f, 0x1.ad9178p-20f, -0x1.9e8fe4p-13f, 0x1.ce36a2p-15f,
      -0x1.115b6cp-17f, 0x1.648978p-21f, -0x1.91e9a4p-26f};
  /// sin(r) = r + r^3 P(r^2); 2^-27.2
  static constexpr float kSin[] = {-0x1.555546p-3f, 0x1.1106bap-7f, -0x1.9906bep-13f};
  /// cos(r) = 1 - r^2 / 2 + r^4 P(r^2); 2^-31.8
  static constexpr float kCos[] = {0x1.55554ep-5f, -0x1.6c0e78p-10f, 0x1.9a6f18p-16f};
  /// asin(x) = x + x^3 P(x^2), |x| <= 1/2; 2^-26.8
  static constexpr float kAsin[] = {0x1.5555acp-3f, 0x1.3305b2p-4f, 0x1.74770ap-5f, 0x1.8a0a92p-6f,
      0x1.5cb2ep-5f};
  /// atan(x) = x + x^3 P(x^2), |x| <= tan(pi / 8); 2^-29.6
  static constexpr float kAtan[] = {-0x1.55554cp-2f, 0x1.9991e2p-3f, -0x1.23b19ap-3f,
      0x1.b1619ep-4f, -0x1.ee0d58p-5f};
};

template <>
struct Polynomials<double> {
  /// e^r = 1 + r + r^2 P(r); 2^-56.8
  static constexpr double kExp[] = {0x1.0000000000009p-1, 0x1.5555555555558p-3,
      0x1.55555555503dbp-5, 0x1.111111110f715p-7, 0x1.6c16c18603f41p-10, 0x1.a01a01b06b1abp-13,
      0x1.a01993adb2cbfp-16, 0x1.71ddf5c505cb3p-19, 0x1.28b416499503fp-22, 0x1.af64c9a5bf276p-26};
  /// 2 atanh(s) = 2 s + s^3 P(s^2); 2^-58.6
  static constexpr double kLog[] = {0x1.555555555557cp-1, 0x1.99999999845d8p-2,
      0x1.2492493fd0d45p-2, 0x1.c71c529dde8e9p-3, 0x1.74664f27996c2p-3, 0x1.399c6131921a5p-3,
      0x1.2f59344ba4d0dp-3};
  /// erf(x) = x + x P(x^2), |x| < 1; 2^-56.9
  static constexpr double kErfNear[] = {0x1.06eba8214db68p-3, -0x1.812746b0379bdp-2,
      0x1.ce2f21a040d16p-4, -0x1.b82ce311fa941p-6, 0x1.565bccf92b36fp-8, -0x1.c02db03dd84e6p-11,
      0x1.f9a2baa91cc66p-14, -0x1.f4ca4d7119e28p-17, 0x1.b97fd3ec66bb8p-20, -0x1.5c07276610884p-23,
      0x1.d71b125771028p-27, -0x1.abae52e61e7a7p-31};
  /// -log(1 - erf(x)) = P(x - 1), 1 <= x; 2^-57.0
  static constexpr double kErfFar[] = {0x1.d97fbf27aa2a1p+0, 0x1.51c9b0006c21ep+1,
      0x1.afabc11a2acf2p-1, 0x1.5477f099ef3b9p-5, -0x1.48c9d38892cc4p-7, 0x1.033f5ae3e8badp-9,
      -0x1.f1b07c736e7a5p-13, -0x1.b929cbe2e5a38p-16, 0x1.c84b3d3c8f6f9p-16, -0x1.4470c8489cffep-17,
      0x1.1dd8d15e6c9bp-19, -0x1.b4772c76e7044p-23, -0x1.f9461c0e0d442p-25, 0x1.216b54e6c5438p-25,
      -0x1.2766b80076283p-27, 0x1.6e50cf546e9bp-30, -0x1.097385f0a27fp-33, 0x1.5ad5146e5eee3p-38};
  /// sin(r) = r + r^3 P(r^2); 2^-57.1
  static constexpr double kSin[] = {-0x1.555555555554cp-3, 0x1.111111110fb4ap-7,
      -0x1.a01a019c2fea4p-13, 0x1.71de356eb0de6p-19, -0x1.ae5e4bb84bcap-26, 0x1.5d87440c8089cp-33};
  /// cos(r) = 1 - r^2 / 2 + r^4 P(r^2); 2^-62.1
  static constexpr double kCos[] = {0x1.5555555555553p-5, -0x1.6c16c16c16131p-10,
      0x1.a01a019e24894p-16, -0x1.27e4f903ab84cp-22, 0x1.1eea890e2e203p-29, -0x1.8ff9ad8c4644ep-37};
  /// asin(x) = x + x^3 P(x^2), |x| <= 1/2; 2^-55.0
  static constexpr double kAsin[] = {0x1.55555555554a3p-3, 0x1.3333333354acfp-4,
      0x1.6db6db4fdedcdp-5, 0x1.f1c728ce038f4p-6, 0x1.6e8a33d3f22fbp-6, 0x1.1c6910409a637p-6,
      0x1.c725afb9bb4c5p-7, 0x1.8e15e624be5a3p-7, 0x1.af0deb49c65e6p-8, 0x1.3f486a2480f9ep-6,
      -0x1.0ae24cf545359p-6, 0x1.066c967675dc3p-5};
  /// atan(x) = x + x^3 P(x^2), |x| <= tan(pi / 8); 2^-58.5
  static constexpr double kAtan[] = {-0x1.555555555554ap-2, 0x1.9999999996e02p-3,
      -0x1.24924923123d9p-3, 0x1.c71c71022985dp-4, -0x1.745cfaf86b4f3p-4, 0x1.3b112f34b516ep-4,
      -0x1.10ec2196bf873p-4, 0x1.df0e5a55bc892p-5, -0x1.9cb44d05b9645p-5, 0x1.375037c749307p-5,
      -0x1.23de327f486a8p-6};
};
// clang-format on

}  // namespace rt::cpu

// After golang/go test/chan/powser1.go (McIlroy, "Squinting at power series"): arithmetic on power series, each
// operation a goroutine, each coefficient made on demand. Large, changing graphs of channels, and selects whose
// cases come and go.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/select.h>
#include <degu/sync/task_group.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace degu {
namespace {

struct Rational {
  int64_t num = 0;
  int64_t den = 1;
  Rational() = default;
  Rational(int64_t n, int64_t d = 1) : num(n), den(d) {
    const int64_t g = std::gcd(num, den) * (den < 0 ? -1 : 1);
    num /= g;
    den /= g;
  }
  friend Rational operator+(Rational a, Rational b) { return {a.num * b.den + b.num * a.den, a.den * b.den}; }
  friend Rational operator*(Rational a, Rational b) { return {a.num * b.num, a.den * b.den}; }
  friend bool operator==(Rational a, Rational b) { return a.num == b.num && a.den == b.den; }
};

/// A coefficient is sent for each demand.
struct Series {
  Chan<int> demand = make_chan<int>();
  Chan<Rational> supply = make_chan<Rational>();
};

Rational get(const Series& s) {
  s.demand.send(1);
  return *s.supply.recv();
}

void put(Rational value, const Series& s) {
  s.demand.recv();
  s.supply.send(value);
}

// Asks both at once: one may need the other's demand to go on.
std::pair<Rational, Rational> get_both(const Series& a, const Series& b) {
  Chan<int> ask_a = a.demand;
  Chan<int> ask_b = b.demand;
  Chan<Rational> from_a;
  Chan<Rational> from_b;
  Rational got_a;
  Rational got_b;
  for (int left = 4; left > 0; --left) {
    select(send(ask_a, 1,
                [&] {
                  ask_a = {};
                  from_a = a.supply;
                }),
           send(ask_b, 1,
                [&] {
                  ask_b = {};
                  from_b = b.supply;
                }),
           recv(from_a,
                [&](Rational v) {
                  got_a = v;
                  from_a = {};
                }),
           recv(from_b, [&](Rational v) {
             got_b = v;
             from_b = {};
           }));
  }
  return {got_a, got_b};
}

/// The operations start tasks of one group, whose end tears the graph down.
class Algebra {
 public:
  explicit Algebra(TaskGroup& group) : group_(group) {}

  Series constant_terms(Rational first, Rational rest) {
    return start([first, rest](const Series& z) {
      put(first, z);
      for (;;) put(rest, z);
    });
  }
  Series ones() { return constant_terms({1}, {1}); }

  Series add(Series u, Series v) {
    return start([u, v](const Series& z) {
      for (;;) {
        z.demand.recv();
        const auto [a, b] = get_both(u, v);
        z.supply.send(a + b);
      }
    });
  }
  Series scale(Rational c, Series u) {
    return start([c, u](const Series& z) {
      for (;;) {
        z.demand.recv();
        z.supply.send(c * get(u));
      }
    });
  }
  Series shift(Rational c, Series u) {
    return start([c, u](const Series& z) {
      put(c, z);
      copy(u, z);
    });
  }
  Series differentiate(Series u) {
    return start([u](const Series& z) {
      z.demand.recv();
      get(u);
      for (int64_t n = 1;; ++n) {
        z.supply.send(Rational(n) * get(u));
        z.demand.recv();
      }
    });
  }
  Series integrate(Rational c, Series u) {
    return start([c, u](const Series& z) {
      put(c, z);
      for (int64_t n = 1;; ++n) {
        z.demand.recv();
        z.supply.send(get(u) * Rational(1, n));
      }
    });
  }
  // (u + xU)(v + xV) = uv + x(uV + vU) + x^2 UV
  Series multiply(Series a, Series b) {
    return start([this, a, b](const Series& z) {
      z.demand.recv();
      const auto [u, v] = get_both(a, b);
      z.supply.send(u * v);
      const auto [a0, a1] = split(a);
      const auto [b0, b1] = split(b);
      const Series w = add(scale(v, a0), scale(u, b0));
      z.demand.recv();
      z.supply.send(get(w));
      copy(add(w, multiply(a1, b1)), z);
    });
  }
  // 1/(u + xU) = z - xzU/(u + xU), z = 1/u
  Series reciprocal(Series a) {
    return start([this, a](const Series& out) {
      out.demand.recv();
      const Rational u = get(a);
      const Rational z(u.den, u.num);
      out.supply.send(z);
      const Series feedback;
      const Series rest;
      split_into(multiply(scale(Rational(-1) * z, a), shift(z, feedback)), feedback, rest);
      copy(rest, out);
    });
  }
  // E = exp(U) solves E = 1 + integral of E U'
  Series exponential(Series u) {
    const Series feedback;
    const Series result;
    split_into(integrate({1}, multiply(feedback, differentiate(u))), feedback, result);
    return result;
  }
  // T = tan(x) solves T = integral of 1 + T^2
  Series tangent() {
    const Series feedback;
    const Series result;
    const auto [left, right] = split(feedback);
    split_into(integrate({0}, add(constant_terms({1}, {0}), multiply(left, right))), feedback, result);
    return result;
  }

  std::pair<Series, Series> split(Series in) {
    std::pair<Series, Series> out;
    split_into(in, out.first, out.second);
    return out;
  }
  // Either side may be ahead of the other by any number of coefficients.
  void split_into(Series in, Series out0, Series out1) {
    auto release = make_chan<int>();
    group_.go([this, in, out0, out1, release] { split_one(in, out0, out1, release); });
    release.send(0);
  }

 private:
  template <class F>
  Series start(F body) {
    Series z;
    group_.go([body = std::move(body), z] { body(z); });
    return z;
  }

  static void copy(const Series& from, const Series& to) {
    for (;;) {
      to.demand.recv();
      to.supply.send(get(from));
    }
  }

  void split_one(Series in, Series first, Series second, Chan<int> wait) {
    bool released = false;
    // Until the one before has served both sides, a demand of the side behind is for that one.
    select(recv(first.demand), recv(wait, [&] {
             released = true;
             select(recv(first.demand), recv(second.demand, [&] { std::swap(first, second); }));
           }));
    in.demand.send(1);
    auto release = make_chan<int>();
    group_.go([this, in, first, second, release] { split_one(in, first, second, release); });
    const Rational value = *in.supply.recv();
    first.supply.send(value);
    if (!released) wait.recv();
    second.demand.recv();
    second.supply.send(value);
    release.send(0);
  }

  TaskGroup& group_;
};

void expect_terms(const Series& s, const std::vector<Rational>& terms) {
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const Rational got = get(s);
    EXPECT_EQ(got, terms[i]) << "coefficient " << i << ": " << got.num << "/" << got.den;
  }
}

TEST(PowerSeries, ComeOutAsInCalculus) {
  all_shapes([] {
    TaskGroup group;
    Algebra x(group);
    expect_terms(x.ones(), {1, 1, 1, 1});
    expect_terms(x.add(x.ones(), x.ones()), {2, 2, 2, 2});
    expect_terms(x.differentiate(x.ones()), {1, 2, 3, 4});
    expect_terms(x.integrate({0}, x.ones()), {0, 1, {1, 2}, {1, 3}});
    expect_terms(x.multiply(x.ones(), x.ones()), {1, 2, 3, 4, 5});
    expect_terms(x.reciprocal(x.ones()), {1, -1, 0, 0, 0});
    expect_terms(x.exponential(x.integrate({0}, x.ones())), {1, 1, 1, 1, 1});
    expect_terms(x.tangent(), {0, 1, 0, {1, 3}, 0, {2, 15}});
    group.cancel();
    group.wait();
  });
}

}  // namespace
}  // namespace degu

// TestAuthority: certificates for tests of TLS.
#pragma once

#include <degu/base/testing/temp_dir.h>
#include <degu/net/tls.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace degu::testing {

/// A certificate authority with an EC key whose files lie in a directory of their own.
class TestAuthority {
 public:
  TestAuthority()
      : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free), certificate_(make("degu test authority", "", nullptr)) {
    write_certificate(ca_file(), certificate_.get());
  }

  std::string ca_file() const { return dir_.file("ca.pem"); }
  std::string file(const std::string& name) const { return dir_.file(name); }

  /// Writes `file`.pem and `file`.key: signed by this, for names like "DNS:a.test,DNS:*.b.test,IP:127.0.0.1".
  net::TlsKeyPair issue(const std::string& file, const std::string& subject, const std::string& names,
                        int days = 1) {
    const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const Certificate certificate = make(subject, names, key.get(), days);
    net::TlsKeyPair pair{dir_.file(file + ".pem"), dir_.file(file + ".key")};
    write_certificate(pair.certificate_file, certificate.get());
    const File out(pair.key_file);
    require(PEM_write_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return pair;
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  class File {
   public:
    explicit File(const std::string& path) : file_(std::fopen(path.c_str(), "w"), &std::fclose) {
      require(file_ != nullptr);
    }
    std::FILE* get() const { return file_.get(); }

   private:
    std::unique_ptr<std::FILE, decltype(&std::fclose)> file_;
  };

  static void require(bool ok) {
    if (!ok) throw std::runtime_error("a test certificate could not be made");
  }

  static void write_certificate(const std::string& path, X509* certificate) {
    const File out(path);
    require(PEM_write_X509(out.get(), certificate) == 1);
  }

  static void add_extension(X509* certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    require(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  // key null: the authority's own certificate.
  Certificate make(const std::string& subject, const std::string& names, EVP_PKEY* key, int days = 1) {
    constexpr long kDay = 24L * 3600;
    Certificate made(X509_new(), &X509_free);
    X509* const x = made.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(x), -2 * kDay);
    X509_gmtime_adj(X509_getm_notAfter(x), days * kDay);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(key == nullptr ? x : certificate_.get()));
    X509_set_pubkey(x, key == nullptr ? key_.get() : key);
    if (key == nullptr) add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    if (!names.empty()) add_extension(x, NID_subject_alt_name, names);
    require(X509_sign(x, key_.get(), EVP_sha256()) != 0);
    return made;
  }

  TempDir dir_;
  long serial_ = 0;
  Key key_;
  Certificate certificate_;
};

}  // namespace degu::testing

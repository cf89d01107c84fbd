#include <fastgpu/cluster/credentials.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <fastgpu/error.hpp>

#include "net/authority.hpp"
#include "net/certificate.hpp"
#include "support/failure_of.hpp"
#include "support/folder.hpp"
#include "support/refusal.hpp"

namespace {

namespace fs = std::filesystem;
using fastgpu::credentials;
using fastgpu::errc;
using fastgpu::detail::add_credentials;
using fastgpu::detail::create_credentials;
using fastgpu::detail::parse_uri_name;
using fastgpu::detail::role;
using support::failure_of;
using support::refusal;
using testing::HasSubstr;

int mode_of(const std::string& path)
{
  struct stat info{};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return static_cast<int>(info.st_mode & 07777);
}

void write(const std::string& file, const std::string& text) { std::ofstream{file, std::ios::trunc} << text; }

class Credentials : public testing::Test {
 protected:
  Credentials() { create_credentials(all, {.nodes = {"gpu7"}, .clients = {"me"}, .operators = {"boss"}}); }
  std::string of(const std::string& name, const std::string& file = "") const
  {
    return all + "/" + name + (file.empty() ? "" : "/" + file);
  }
  /// What loading "me" fails with.
  std::string complaint() const
  {
    const auto why = failure_of([&] { (void)credentials::load(of("me")); });
    EXPECT_EQ(why.code, errc::credentials_error);
    EXPECT_EQ(why.detail.find('\n'), std::string::npos);
    return why.detail;
  }

  support::folder folder;
  std::string all = folder.path("c");
};

TEST_F(Credentials, AreMadeForEachPrincipalAndLoaded)
{
  const auto me = credentials::load(of("me"));
  const auto node = credentials::load(of("gpu7"));
  EXPECT_EQ(me.name(), "me");
  EXPECT_EQ(node.name(), "gpu7");
  EXPECT_EQ(me.trust_domain().size(), 32u);
  EXPECT_EQ(me.trust_domain(), node.trust_domain());
  const auto copy = me;
  EXPECT_EQ(copy.data().get(), me.data().get());
}

TEST_F(Credentials, AreOpenToTheirOwnerOnly)
{
  EXPECT_EQ(mode_of(all), 0700);
  for (const auto* name : {"me", "gpu7", "boss", "ca"}) {
    EXPECT_EQ(mode_of(of(name)), 0700);
    EXPECT_EQ(mode_of(of(name, "key.pem")), 0600);
  }
  EXPECT_FALSE(fs::exists(of("me", "../me/ca-key.pem")));
  for (const auto& entry : fs::directory_iterator{all}) {  // no drafts are left
    EXPECT_NE(entry.path().filename().string().front(), '.') << entry.path();
  }
}

TEST_F(Credentials, OfTwoAuthoritiesShareNoTrustDomain)
{
  create_credentials(folder.path("d"), {.clients = {"me"}});
  EXPECT_NE(credentials::load(folder.path("d/me")).trust_domain(), credentials::load(of("me")).trust_domain());
}

TEST_F(Credentials, CanBeAddedLater)
{
  add_credentials(all, {.nodes = {"gpu8"}});
  EXPECT_EQ(credentials::load(of("gpu8")).trust_domain(), credentials::load(of("me")).trust_domain());
}

TEST_F(Credentials, AreNeverOverwritten)
{
  EXPECT_EQ(refusal([&] { create_credentials(all, {.clients = {"you"}}); return 0; }), errc::credentials_error);
  EXPECT_EQ(refusal([&] { add_credentials(all, {.nodes = {"gpu9", "me"}}); return 0; }), errc::credentials_error);
  EXPECT_FALSE(fs::exists(of("gpu9")));  // all or none
  EXPECT_EQ(refusal([&] { add_credentials(folder.path("none"), {.nodes = {"gpu9"}}); return 0; }), errc::credentials_error);
}

TEST_F(Credentials, HaveNamesThatAreFoldersToo)
{
  for (const std::string wrong : {"", ".", "..", "ca", "a/b", "GPU", "a b", "a\n", "ä"}) {
    EXPECT_EQ(refusal([&] { add_credentials(all, {.nodes = {wrong}}); return 0; }), errc::invalid_argument) << wrong;
  }
  EXPECT_EQ(refusal([&] { add_credentials(all, {.nodes = {std::string(64, 'x')}}); return 0; }), errc::invalid_argument);
  EXPECT_EQ(refusal([&] { add_credentials(all, {.nodes = {"x"}, .clients = {"x"}}); return 0; }), errc::invalid_argument);
  add_credentials(all, {.nodes = {std::string(63, 'x'), "n-1.lab_2"}});
}

TEST_F(Credentials, AreFoundInTheHomeFolder)
{
  const std::string before = std::getenv("HOME") ? std::getenv("HOME") : "";
  ::setenv("HOME", all.c_str(), 1);
  EXPECT_EQ(credentials::load("~/me").name(), "me");
  ::setenv("HOME", before.c_str(), 1);
}

TEST_F(Credentials, SayWhatIsMissing)
{
  for (const auto* file : {"key.pem", "certificate.pem", "ca.pem"}) {
    fs::rename(of("me", file), of("me", "away"));
    EXPECT_THAT(complaint(), HasSubstr(of("me", file) + ": No such file"));
    fs::rename(of("me", "away"), of("me", file));
  }
  fs::remove_all(of("me"));
  EXPECT_THAT(complaint(), HasSubstr(of("me") + ": No such file"));
}

TEST_F(Credentials, AreRefusedWhereOthersHaveAccessToThem)
{
  for (const auto mode : {0640, 0604, 0660, 0644}) {
    ::chmod(of("me", "key.pem").c_str(), static_cast<::mode_t>(mode));
    EXPECT_THAT(complaint(), HasSubstr("key.pem: others have access"));
  }
  ::chmod(of("me", "key.pem").c_str(), 0400);
  EXPECT_EQ(credentials::load(of("me")).name(), "me");

  ::chmod(of("me", "ca.pem").c_str(), 0666);
  EXPECT_THAT(complaint(), HasSubstr("ca.pem: others can write"));
  ::chmod(of("me", "ca.pem").c_str(), 0644);
  ::chmod(of("me").c_str(), 0770);
  EXPECT_THAT(complaint(), HasSubstr("others can write to it"));
}

TEST_F(Credentials, AreNotMadeWhereOthersHaveAccessToTheAuthority)
{
  const auto refused = [&] {
    return support::failure_of([&] { add_credentials(all, {.nodes = {"gpu8"}}); }).detail;
  };
  ::chmod(of("ca", "key.pem").c_str(), 0640);
  EXPECT_THAT(refused(), HasSubstr("ca/key.pem: others have access"));
  ::chmod(of("ca", "key.pem").c_str(), 0600);
  ::chmod(of("ca", "ca.pem").c_str(), 0666);
  EXPECT_THAT(refused(), HasSubstr("ca/ca.pem: others can write"));
  ::chmod(of("ca", "ca.pem").c_str(), 0644);
  ::chmod(of("ca").c_str(), 0770);
  EXPECT_THAT(refused(), HasSubstr("/ca: others can write"));
  ::chmod(of("ca").c_str(), 0755);
  ::chmod(all.c_str(), 0777);
  EXPECT_THAT(refused(), HasSubstr(all + ": others can write"));
  ::chmod(all.c_str(), 0700);
  add_credentials(all, {.nodes = {"gpu8"}});

  fs::create_directory(folder.path("d"));
  ::chmod(folder.path("d").c_str(), 0777);
  EXPECT_THAT(support::failure_of([&] { create_credentials(folder.path("d"), {.clients = {"me"}}); }).detail,
              HasSubstr("/d: others can write"));
  EXPECT_TRUE(fs::is_empty(folder.path("d")));
}

TEST_F(Credentials, AreRefusedWhereTheyBelongToAnotherUser)
{
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_EQ(::chown(of("me", "key.pem").c_str(), 65534, 65534), 0);
  EXPECT_THAT(complaint(), HasSubstr("key.pem: belongs to another user"));
}

TEST_F(Credentials, AreRefusedWhereTheKeyIsAnothers)
{
  fs::copy_file(of("gpu7", "key.pem"), of("me", "key.pem"), fs::copy_options::overwrite_existing);
  EXPECT_THAT(complaint(), HasSubstr("certificate.pem: is not of the key"));
}

TEST_F(Credentials, AreRefusedWhereTheAuthorityIsAnother)
{
  create_credentials(folder.path("d"), {});
  fs::copy_file(folder.path("d/ca/ca.pem"), of("me", "ca.pem"), fs::copy_options::overwrite_existing);
  EXPECT_THAT(complaint(), HasSubstr("certificate.pem: is not of the CA in ca.pem"));
}

TEST_F(Credentials, AreRefusedWhereAFileHoldsSomethingElse)
{
  for (const auto* file : {"key.pem", "certificate.pem", "ca.pem"}) {
    for (const std::string text : {"", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
      fs::copy_file(of("me", file), of("me", "away"), fs::copy_options::overwrite_existing);
      write(of("me", file), text);
      EXPECT_THAT(complaint(), HasSubstr(std::string{file} + ": holds no"));
      fs::copy_file(of("me", "away"), of("me", file), fs::copy_options::overwrite_existing);
    }
  }
  fs::copy_file(of("me", "ca.pem"), of("me", "certificate.pem"), fs::copy_options::overwrite_existing);
  EXPECT_THAT(complaint(), HasSubstr("certificate.pem"));
}

TEST_F(Credentials, AreRefusedWithADenyListThatCannotBeRead)
{
  write(of("me", "deny.txt"), "# nobody yet\n\n");
  EXPECT_EQ(credentials::load(of("me")).name(), "me");
  write(of("me", "deny.txt"), "# nobody yet\ngpu 7?\n");
  EXPECT_THAT(complaint(), HasSubstr("deny.txt: line 2 is neither"));
}

TEST(UriName, HasADomainARoleAndAName)
{
  const auto name = parse_uri_name("fastgpu://0a1b/operator/boss");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->trust_domain, "0a1b");
  EXPECT_EQ(name->name, "boss");
  EXPECT_EQ(name->roles, role::submit | role::observe | role::operate);
  EXPECT_EQ(parse_uri_name("spiffe://0a1b/node/gpu7")->roles, role::node);
  for (const std::string wrong :
       {"", "fastgpu://", "fastgpu://d", "fastgpu://d/node", "fastgpu://d/node/", "fastgpu:///node/x", "http://d/node/x",
        "fastgpu://d/admin/x", "fastgpu://d/node/x/y", "fastgpu://d/node/x?y", "fastgpu://d/node/X", "fastgpu://D/node/x",
        "fastgpu://d/Node/x", "fastgpu://d:1/node/x", "fastgpu://u@d/node/x", " fastgpu://d/node/x", "fastgpu://d/node/.."}) {
    EXPECT_FALSE(parse_uri_name(wrong)) << wrong;
  }
}

}  // namespace
